/* A tiny HTTP server for tests: answers by path, remembers the last request. */
#ifndef TESTS_DAEMON_HTTP_SERVER_H
#define TESTS_DAEMON_HTTP_SERVER_H

#include <stddef.h>

/*
 * /status/CODE answers with that code and the body "answer CODE"; further parts of the path are headers of the answer,
 * /status/429/Retry-After/7. /hang never answers; /reset closes the connection after the request; /large answers without end.
 */
struct http_server;

/* socket: a path for a UNIX socket, NULL for a port of 127.0.0.1. */
struct http_server *http_server_new(const char *socket);
unsigned http_server_port(const struct http_server *);
/* Waits until `count` requests have come; fails the test otherwise. */
void http_server_wait(struct http_server *, size_t count);
/* Head and body of the last request, as text; valid until the next one. */
const char *http_server_last(struct http_server *);
size_t http_server_body_size(struct http_server *);
void http_server_free(struct http_server *);

#endif
