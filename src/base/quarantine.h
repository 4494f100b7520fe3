/*
 * Quarantine: in a debug build freed blocks are overwritten and kept for a while, so that who uses one after its end finds the mark instead of
 * another owner's bytes. A release build keeps nothing, and neither does one with AddressSanitizer, which sees every use after free by itself.
 */
#ifndef OD_BASE_QUARANTINE_H
#define OD_BASE_QUARANTINE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define OD_BASE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OD_BASE_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef OD_BASE_ADDRESS_SANITIZER
#define OD_BASE_ADDRESS_SANITIZER 0
#endif

#if defined(NDEBUG) || OD_BASE_ADDRESS_SANITIZER
#define OD_QUARANTINE 0
#else
#define OD_QUARANTINE 1
#endif

/* Eight bytes of a block in quarantine. */
#define OD_QUARANTINE_MARK UINT64_C(0xdbdbdbdbdbdbdbdb)

enum {
    OD_QUARANTINE_BLOCKS = 4096,
    OD_QUARANTINE_BYTES = 4 << 20,
};

/* Takes a block to be freed later; the oldest ones are freed for it. Thread: any. */
void od_quarantine_take(void *block, size_t size);

#endif
