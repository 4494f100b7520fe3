/*
 * Requests that no client library sends for us, written by hand to one broker that is also the coordinator: what an admin tool does to a
 * group from outside.
 */
#ifndef TEST_COMMON_KAFKA_RAW_H
#define TEST_COMMON_KAFKA_RAW_H

#include <stdbool.h>

/* Takes a member out of its group, as an administrator does: LeaveGroup, or with KIP-848 a heartbeat that leaves. false: not done. */
bool test_evict(const char *broker, const char *group, const char *member_id, bool kip848);
/* Whether the group has that member: DescribeGroups, or with KIP-848 ConsumerGroupDescribe. */
bool test_is_member(const char *broker, const char *group, const char *member_id, bool kip848);
/* Makes a group of another protocol type ("connect") with one member, who stays for its session timeout. */
bool test_join_as(const char *broker, const char *group, const char *protocol_type);

#endif
