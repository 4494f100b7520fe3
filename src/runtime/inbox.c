/* The inbox of the loop. */
#include "runtime/inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/record.h"

enum orderly_err od_inbox_init(struct od_inbox *inbox)
{
    *inbox = (struct od_inbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (inbox->fd < 0) {
        return ORDERLY_LIMIT;
    }
    if (pthread_mutex_init(&inbox->mutex, NULL) != 0) {
        close(inbox->fd);
        return ORDERLY_NOMEM;
    }
    return ORDERLY_OK;
}

void od_inbox_fini(struct od_inbox *inbox)
{
    od_vec_fini(&inbox->posts);
    pthread_mutex_destroy(&inbox->mutex);
    close(inbox->fd);
}

void od_inbox_ring(const struct od_inbox *inbox)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(inbox->fd, &one, sizeof one);
    (void)written; /* full means that it is readable, which is all we want */
    errno = saved;
}

/* Unlocks; rings when the loop sleeps. */
static void leave(struct od_inbox *inbox)
{
    bool sleeping = inbox->sleeping;
    inbox->sleeping = false;
    pthread_mutex_unlock(&inbox->mutex);
    if (sleeping) {
        od_inbox_ring(inbox);
    }
}

bool od_inbox_splice(struct od_inbox *inbox, struct orderly_record *first, struct orderly_record *last)
{
    last->next = NULL;
    pthread_mutex_lock(&inbox->mutex);
    if (!inbox->open) {
        pthread_mutex_unlock(&inbox->mutex);
        return false;
    }
    if (inbox->last != NULL) {
        inbox->last->next = first;
    } else {
        inbox->first = first;
    }
    inbox->last = last;
    leave(inbox);
    return true;
}

/* Whether whoever posts it hears of a failure and can do something about it. */
static bool is_answered(enum od_post_type type)
{
    return type == OD_POST_ASK || type == OD_POST_POLL || type == OD_POST_COMMIT || type == OD_POST_MARK_OFFSET;
}

enum orderly_err od_inbox_post(struct od_inbox *inbox, struct od_post post)
{
    pthread_mutex_lock(&inbox->mutex);
    enum orderly_err error = ORDERLY_OK;
    if (!inbox->open) {
        error = ORDERLY_CLOSED;
    } else if (!od_vec_push(&inbox->posts, post)) {
        error = ORDERLY_NOMEM;
        inbox->lost = inbox->lost || !is_answered(post.type);
    }
    if (error == ORDERLY_NOMEM) {
        leave(inbox);
        return error;
    }
    if (error != ORDERLY_OK) {
        pthread_mutex_unlock(&inbox->mutex);
        return error;
    }
    leave(inbox);
    return ORDERLY_OK;
}

bool od_inbox_take(struct od_inbox *inbox, struct orderly_record **ret_first, struct od_posts *posts)
{
    od_vec_clear(posts);
    pthread_mutex_lock(&inbox->mutex);
    *ret_first = inbox->first;
    inbox->first = inbox->last = NULL;
    struct od_posts taken = inbox->posts;
    inbox->posts = *posts;
    *posts = taken;
    inbox->sleeping = false;
    bool whole = !inbox->lost;
    pthread_mutex_unlock(&inbox->mutex);
    return whole;
}

bool od_inbox_sleep(struct od_inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    bool empty = inbox->first == NULL && inbox->posts.count == 0;
    inbox->sleeping = empty;
    pthread_mutex_unlock(&inbox->mutex);
    return empty;
}

void od_inbox_awake(struct od_inbox *inbox, bool rung)
{
    if (rung) {
        uint64_t count;
        ssize_t got = read(inbox->fd, &count, sizeof count);
        (void)got; /* empty is fine */
    }
}

void od_inbox_open(struct od_inbox *inbox, bool open)
{
    pthread_mutex_lock(&inbox->mutex);
    inbox->open = open;
    pthread_mutex_unlock(&inbox->mutex);
}
