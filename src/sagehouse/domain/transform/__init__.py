"""Pure decisions of batch transform: what a job asks for, its files cut into payloads, answers joined and named."""
