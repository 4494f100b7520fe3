/* What librdkafka's threads may touch: a wake-up and the way to the log. It outlives the engine when a handle hangs in its destruction. */
#include "kafka/inside.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct od_wake {
    atomic_int references;
    atomic_bool signalled;
    int fd;
    pthread_mutex_t lock; /* guards `open` against a log line in flight */
    bool open;
    void *userdata;
    void (*log)(void *userdata, int level, const char *area, const char *text);
};

struct od_wake *od_wake_new(const struct od_engine_sink *sink)
{
    struct od_wake *wake = calloc(1, sizeof *wake);
    if (!wake) {
        return NULL;
    }
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd < 0) {
        free(wake);
        return NULL;
    }
    atomic_init(&wake->references, 1);
    pthread_mutex_init(&wake->lock, NULL);
    wake->open = true;
    wake->userdata = sink->userdata;
    wake->log = sink->log;
    return wake;
}

struct od_wake *od_wake_ref(struct od_wake *wake)
{
    atomic_fetch_add(&wake->references, 1);
    return wake;
}

void od_wake_unref(struct od_wake *wake)
{
    if (!wake || atomic_fetch_sub(&wake->references, 1) != 1) {
        return;
    }
    close(wake->fd);
    pthread_mutex_destroy(&wake->lock);
    free(wake);
}

int od_wake_fd(const struct od_wake *wake)
{
    return wake->fd;
}

void od_wake_signal(struct od_wake *wake)
{
    if (!atomic_exchange(&wake->signalled, true)) {
        const uint64_t one = 1;
        ssize_t written = write(wake->fd, &one, sizeof one);
        (void)written; /* full means readable, which is all we want */
    }
}

void od_wake_clear(struct od_wake *wake)
{
    uint64_t value;
    ssize_t got = read(wake->fd, &value, sizeof value);
    (void)got;
    /* Last: a signal between the read and here is not lost, its cause is looked at after this call. */
    atomic_store(&wake->signalled, false);
}

void od_wake_log(struct od_wake *wake, int level, const char *area, const char *text)
{
    pthread_mutex_lock(&wake->lock);
    if (wake->open && wake->log) {
        wake->log(wake->userdata, level, area, text);
    }
    pthread_mutex_unlock(&wake->lock);
}

void od_wake_close(struct od_wake *wake)
{
    pthread_mutex_lock(&wake->lock);
    wake->open = false;
    pthread_mutex_unlock(&wake->lock);
}
