/*
 * The inbox: what all other threads have for the loop. Settled records come as a chain through the records themselves, so that
 * settling needs no memory; everything else as posts. Within one turn the loop takes the records first: a commit sees
 * what its thread settled before.
 *
 *     any thread --splice, post--> [ mutex | chain, posts ] --take--> loop
 *
 * The descriptor is written only when the loop sleeps.
 */
#ifndef OD_RUNTIME_INBOX_H
#define OD_RUNTIME_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "orderly/orderly.h"

enum od_post_type {
    OD_POST_ASK,           /* pointer: struct od_ask */
    OD_POST_CALLBACK_DONE, /* a: sequence */
    OD_POST_POSITION,      /* a: assignment, b: offset */
    OD_POST_ALLOW,         /* the gate is given back */
    OD_POST_POLL,          /* a poll waits: see struct od_poll */
    OD_POST_MARK_OFFSET,   /* a: assignment, b: offset */
    OD_POST_COMMIT,        /* pointer: struct od_commit_ids, taken; a: token */
    OD_POST_CLOSE,         /* b: deadline, monotonic ms */
    OD_POST_UNRUN          /* a: a record of the core that could not be run */
};

struct od_post {
    enum od_post_type type;
    uint64_t a;
    int64_t b;
    void *pointer;
};

/* A vec. */
struct od_posts {
    struct od_post *items;
    size_t count, room;
};

struct od_inbox {
    pthread_mutex_t mutex;
    struct orderly_record *first, *last; /* linked by orderly_record.next */
    struct od_posts posts;
    bool open;     /* a loop takes what comes */
    bool lost;     /* a post that nobody can be told of found no memory */
    bool sleeping; /* the loop waits, or is about to */
    int fd;
};

/* Errors: NOMEM, LIMIT (out of fds). */
enum orderly_err od_inbox_init(struct od_inbox *);
void od_inbox_fini(struct od_inbox *);

/* Thread: any. Appends a chain; the inbox takes one reference of each record. False: there is no loop, nothing was taken. */
bool od_inbox_splice(struct od_inbox *, struct orderly_record *first, struct orderly_record *last);
/* Thread: any. Errors: CLOSED (no loop), NOMEM. */
enum orderly_err od_inbox_post(struct od_inbox *, struct od_post);
/* Wakes the loop and no more. Async-signal-safe. */
void od_inbox_ring(const struct od_inbox *);

/* Thread: loop. Moves all there is to the caller; `posts` is emptied first. False: something was lost for want of memory. */
bool od_inbox_take(struct od_inbox *, struct orderly_record **ret_first, struct od_posts *posts);
/* Thread: loop. True when there is nothing: whoever comes from now on rings. */
bool od_inbox_sleep(struct od_inbox *);
/* Thread: loop. After a sleep; empties the descriptor. */
void od_inbox_awake(struct od_inbox *, bool rung);
/* Opens or closes it to posts; what is inside leases. */
void od_inbox_open(struct od_inbox *, bool open);

#endif
