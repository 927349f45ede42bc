"""CloudWatch Logs: what AWS programs ask of it, over ports.streams."""

from collections.abc import Mapping, Sequence

from sagehouse.ports.house import Operation
from sagehouse.services.logs import events, filtering, groups, log_streams

OPERATIONS: Mapping[str, Operation] = {
    "CreateLogGroup": groups.create_log_group,
    "DeleteLogGroup": groups.delete_log_group,
    "DescribeLogGroups": groups.describe_log_groups,
    "PutRetentionPolicy": groups.put_retention_policy,
    "DeleteRetentionPolicy": groups.delete_retention_policy,
    "TagResource": groups.tag_resource,
    "UntagResource": groups.untag_resource,
    "ListTagsForResource": groups.list_tags_for_resource,
    "TagLogGroup": groups.tag_log_group,
    "UntagLogGroup": groups.untag_log_group,
    "ListTagsLogGroup": groups.list_tags_log_group,
    "CreateLogStream": log_streams.create_log_stream,
    "DeleteLogStream": log_streams.delete_log_stream,
    "DescribeLogStreams": log_streams.describe_log_streams,
    "PutLogEvents": events.put_log_events,
    "GetLogEvents": events.get_log_events,
    "FilterLogEvents": filtering.filter_log_events,
}

NOTES: Sequence[str] = (
    "Events older than the retention are hidden, not deleted from disk.",
    "The entity of PutLogEvents is not kept.",
    "Filter patterns in square brackets and regular expressions are refused by name.",
)
"""What differs from AWS, for the page of operations."""
