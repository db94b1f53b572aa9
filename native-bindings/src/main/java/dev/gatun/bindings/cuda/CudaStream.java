package dev.gatun.bindings.cuda;

import java.lang.foreign.MemorySegment;

/** Work of a device that is done in order, while the host goes on. */
public final class CudaStream implements AutoCloseable {

    private final CudaContext context;
    private final MemorySegment handle;

    CudaStream(CudaContext context, MemorySegment handle) {
        this.context = context;
        this.handle = handle;
    }

    MemorySegment handle() {
        return handle;
    }

    /** Queues a copy to the device. The host memory is pinned, and left as it is until the copy is done. */
    public void copyIn(long to, MemorySegment from, long bytes) {
        context.enter("cuMemcpyHtoDAsync_v2");
        context.check(Cuda.cuMemcpyHtoDAsync_v2(to, from, bytes, handle), "cuMemcpyHtoDAsync_v2", to, from.address(), bytes);
    }

    /** Queues a copy to pinned host memory, which holds it when the stream has come so far. */
    public void copyOut(MemorySegment to, long from, long bytes) {
        context.enter("cuMemcpyDtoHAsync_v2");
        context.check(Cuda.cuMemcpyDtoHAsync_v2(to, from, bytes, handle), "cuMemcpyDtoHAsync_v2", to.address(), from, bytes);
    }

    /** Queues a copy within the device. */
    public void copy(long to, long from, long bytes) {
        context.enter("cuMemcpyDtoDAsync_v2");
        context.check(Cuda.cuMemcpyDtoDAsync_v2(to, from, bytes, handle), "cuMemcpyDtoDAsync_v2", to, from, bytes);
    }

    /** Queues the filling of memory with one byte. */
    public void fill(long to, byte value, long bytes) {
        context.enter("cuMemsetD8Async");
        context.check(Cuda.cuMemsetD8Async(to, value, bytes, handle), "cuMemsetD8Async", to, value, bytes);
    }

    /** Queues the filling of memory with one 32-bit word. */
    public void fill(long to, int value, long words) {
        context.enter("cuMemsetD32Async");
        context.check(Cuda.cuMemsetD32Async(to, value, words, handle), "cuMemsetD32Async", to, value, words);
    }

    /** Marks how far the stream is. */
    public void record(CudaEvent event) {
        context.enter("cuEventRecord");
        context.check(Cuda.cuEventRecord(event.handle(), handle), "cuEventRecord");
    }

    /** Lets the stream go on only after an event of another one. */
    public void await(CudaEvent event) {
        context.enter("cuStreamWaitEvent");
        context.check(Cuda.cuStreamWaitEvent(handle, event.handle(), 0), "cuStreamWaitEvent");
    }

    /** Waits until everything queued is done; failures of kernels show here. */
    public void synchronize() {
        context.enter("cuStreamSynchronize");
        context.check(Cuda.cuStreamSynchronize(handle), "cuStreamSynchronize");
    }

    @Override
    public void close() {
        if (!context.isLost()) {
            context.enter("cuStreamDestroy_v2");
            context.check(Cuda.cuStreamDestroy_v2(handle), "cuStreamDestroy_v2");
        }
    }
}
