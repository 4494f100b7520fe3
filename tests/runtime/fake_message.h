/* Messages of the scripted engine. */
#ifndef TESTS_RUNTIME_FAKE_MESSAGE_H
#define TESTS_RUNTIME_FAKE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kafka/message.h"

struct od_message *fake_message_make(size_t room, int32_t partition, int64_t offset, size_t keys);
/* How many are alive. */
size_t fake_message_count(void);
void fake_message_reset(void);

#endif
