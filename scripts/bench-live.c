/* Looks at the clock all the time, and notes the longest time for which it was kept from that: how long the process was
 * stopped. What it waited for a processor that others had is not counted. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SHORT 10000

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

/* How long this thread has waited for a processor, in nanoseconds: the second number of schedstat. */
static uint64_t waited(int schedstat)
{
    char text[128] = "";
    unsigned long long ran, waited = 0;
    if (pread(schedstat, text, sizeof text - 1, 0) > 0)
        sscanf(text, "%llu %llu", &ran, &waited);
    return waited;
}

/* The file holds the longest gap so far, in nanoseconds; who reads it sets it to 0. Does not return. */
int watch(const char *path)
{
    int file = open(path, O_RDWR);
    int schedstat = open("/proc/thread-self/schedstat", O_RDONLY);
    volatile uint64_t *longest = mmap(0, sizeof *longest, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (longest == MAP_FAILED)
        return -1;
    uint64_t waited_before = waited(schedstat);
    for (uint64_t before = now();;) {
        uint64_t after = now();
        if (after - before > SHORT) {
            uint64_t waited_now = waited(schedstat);
            uint64_t elsewhere = waited_now - waited_before;
            uint64_t gap = after - before > elsewhere ? after - before - elsewhere : 0;
            if (gap > *longest)
                *longest = gap;
            waited_before = waited_now;
            after = now();
        }
        before = after;
    }
}
