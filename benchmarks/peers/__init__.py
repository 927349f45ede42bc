"""What sagehouse is measured against: each a program of its own that prints its URL once it answers."""
