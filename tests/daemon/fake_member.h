/* A member without a library: what the admin listener sees of one. */
#ifndef TESTS_DAEMON_FAKE_MEMBER_H
#define TESTS_DAEMON_FAKE_MEMBER_H

#include <stdbool.h>

#include "orderly/orderly.h"

/* Everything a test may set, and what was asked of it. One at a time. */
struct fake_member {
    const char *state; /* of the member: "stable" at first */
    bool silent;       /* orderly_stats() and orderly_member() fail */
    int pauses, resumes;
    char topic[64]; /* of the last pause or resume; "" for all */
    int32_t partition;
};
extern struct fake_member fake_member;
/* What stands for the object. */
struct orderly *fake_member_new(void);

#endif
