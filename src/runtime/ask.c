/* Asking the loop. */
#include "runtime/ask.h"

#include "runtime/log.h"
#include "runtime/member.h"

void od_ask_answer(struct od_loop *loop, struct od_ask *ask)
{
    struct orderly *orderly = loop->orderly;
    ask->result = ask->function(loop, ask->argument);
    pthread_mutex_lock(&orderly->mutex);
    ask->done = true;
    pthread_cond_broadcast(&orderly->bell);
    pthread_mutex_unlock(&orderly->mutex);
}

static enum orderly_err ask_and_wait(struct orderly *orderly, od_ask_function *function, void *argument)
{
    struct od_ask ask = {.function = function, .argument = argument};
    struct od_post post = {.type = OD_POST_ASK, .pointer = &ask};
    enum orderly_err error = od_inbox_post(&orderly->inbox, post);
    if (error == ORDERLY_CLOSED) {
        pthread_mutex_lock(&orderly->idle);
        error = od_inbox_post(&orderly->inbox, post); /* one may have started just now */
        if (error == ORDERLY_CLOSED) {
            od_loop_clock(&orderly->loop);
            ask.result = function(&orderly->loop, argument);
            pthread_mutex_unlock(&orderly->idle);
            return ask.result;
        }
        pthread_mutex_unlock(&orderly->idle);
    }
    if (error != ORDERLY_OK) {
        return error;
    }
    pthread_mutex_lock(&orderly->mutex);
    while (!ask.done) {
        od_member_wait(orderly, INT64_MAX);
    }
    pthread_mutex_unlock(&orderly->mutex);
    return ask.result;
}

enum orderly_err od_ask(struct orderly *orderly, od_ask_function *function, void *argument)
{
    if (od_log_inside()) {
        return ORDERLY_STATE;
    }
    od_member_ref(orderly); /* whoever frees it meanwhile has the loop answer first */
    enum orderly_err error = ask_and_wait(orderly, function, argument);
    od_member_unref(orderly);
    return error;
}
