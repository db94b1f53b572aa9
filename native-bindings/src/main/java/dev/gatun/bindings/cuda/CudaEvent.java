package dev.gatun.bindings.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A mark in a stream, and the time when it was reached. */
public final class CudaEvent implements AutoCloseable {

    private static final int NOT_READY = 600;

    private final CudaContext context;
    private final MemorySegment handle;

    CudaEvent(CudaContext context, MemorySegment handle) {
        this.context = context;
        this.handle = handle;
    }

    MemorySegment handle() {
        return handle;
    }

    /** Whether everything before the mark is done. */
    public boolean reached() {
        context.enter("cuEventQuery");
        int code = Cuda.cuEventQuery(handle);
        if (code != NOT_READY) {
            context.check(code, "cuEventQuery");
        }
        return code == 0;
    }

    /** Waits until everything before the mark is done. */
    public void synchronize() {
        context.enter("cuEventSynchronize");
        context.check(Cuda.cuEventSynchronize(handle), "cuEventSynchronize");
    }

    /** Milliseconds from another mark to this one; both have been reached. */
    public float since(CudaEvent start) {
        context.enter("cuEventElapsedTime");
        MemorySegment out = CudaDriver.out();
        context.check(Cuda.cuEventElapsedTime(out, start.handle, handle), "cuEventElapsedTime");
        return out.get(ValueLayout.JAVA_FLOAT, 0);
    }

    @Override
    public void close() {
        if (!context.isLost()) {
            context.enter("cuEventDestroy_v2");
            context.check(Cuda.cuEventDestroy_v2(handle), "cuEventDestroy_v2");
        }
    }
}
