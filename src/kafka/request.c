/* Questions to librdkafka that answer later, through the handle's queue; the request is the opaque of the call. */
#include "kafka/inside.h"

void od_request_add(struct od_engine *engine, struct od_handle *handle, struct od_request *request)
{
    struct od_request *head = &engine->requests;
    request->handle = handle;
    request->next = head;
    request->prev = head->prev;
    head->prev->next = request;
    head->prev = request;
}

void od_request_remove(struct od_engine *engine, struct od_request *request)
{
    (void)engine;
    request->prev->next = request->next;
    request->next->prev = request->prev;
}

rd_kafka_AdminOptions_t *od_request_options(struct od_handle *handle, rd_kafka_admin_op_t operation, int timeout_ms,
                                            struct od_request *request)
{
    char text[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle->rk, operation);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_AdminOptions_set_opaque(options, request);
    return options;
}

rd_kafka_AdminOptions_t *od_request_options_to(struct od_handle *handle, int32_t broker, rd_kafka_admin_op_t operation,
                                               int timeout_ms, struct od_request *request)
{
    char text[256];
    rd_kafka_AdminOptions_t *options = od_request_options(handle, operation, timeout_ms, request);
    if (broker >= 0) {
        rd_kafka_AdminOptions_set_broker(options, broker, text, sizeof text);
    }
    return options;
}

bool od_request_unanswered(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT ||
           err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

static void answer(struct od_engine *engine, rd_kafka_event_t *event)
{
    struct od_request *request = rd_kafka_event_opaque(event);
    if (request) {
        od_request_remove(engine, request);
        if (od_request_unanswered(rd_kafka_event_error(event))) {
            od_handle_look_for_brokers(engine, request->handle);
        }
        request->done(engine, request, event);
    }
    rd_kafka_event_destroy(event);
}

void od_request_serve(struct od_engine *engine, struct od_handle *handle)
{
    rd_kafka_event_t *event;
    for (int i = 0; i < 1000 && (event = rd_kafka_queue_poll(handle->answers, 0)); i++) {
        answer(engine, event);
        if (engine->handle != handle && engine->copier.handle != handle && engine->offsets.spare != handle) {
            return; /* the answer made the handle go */
        }
    }
}

void od_request_drop(struct od_engine *engine, struct od_handle *handle)
{
    struct od_request *head = &engine->requests;
    for (struct od_request *each = head->next, *next; each != head; each = next) {
        next = each->next;
        if (each->handle == handle) {
            od_request_remove(engine, each);
            each->done(engine, each, NULL);
            next = head->next; /* `done` may have changed the ring */
        }
    }
}
