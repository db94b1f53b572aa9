package dev.gatun.bindings.cuda;

import static dev.gatun.bindings.cuda.CudaDriver.out;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * A device that work can be given to: memory, streams, events, modules and launches. Any thread may call; the device's
 * primary context is made current where it is not. Work is queued on streams of our own, never on the NULL stream.
 *
 * <p>After an error that loses the device, every call fails at once with the first cause, and handing things back does
 * nothing: there is nothing left to hand back.
 */
public final class CudaContext implements AutoCloseable {

    private static final int LOG_BYTES = 16 << 10;
    private static final int ERROR_LOG = 5;
    private static final int ERROR_LOG_BYTES = 6;
    private static final int NON_BLOCKING = 1;
    private static final boolean SYNC = Boolean.getBoolean("gatun.cuda.sync");
    private static final ThreadLocal<CudaContext> CURRENT = new ThreadLocal<>();

    private final CudaDriver.Info info;
    private final int device;
    private final MemorySegment handle;
    private volatile CudaException lost;
    private volatile boolean closed;

    private CudaContext(CudaDriver.Info info, int device, MemorySegment handle) {
        this.info = info;
        this.device = device;
        this.handle = handle;
    }

    /** The primary context of a device that {@link CudaDriver#probe} found; released when closed. */
    public static CudaContext open(CudaDriver.Info info) {
        MemorySegment out = out();
        CudaDriver.check(Cuda.cuDeviceGet(out, info.ordinal()), "cuDeviceGet", info.ordinal());
        int device = out.get(ValueLayout.JAVA_INT, 0);
        CudaDriver.check(Cuda.cuDevicePrimaryCtxRetain(out, device), "cuDevicePrimaryCtxRetain", device);
        return new CudaContext(info, device, out.get(Cuda.C_POINTER, 0));
    }

    /** What the device is. */
    public CudaDriver.Info info() {
        return info;
    }

    /** Whether an error has made the device useless for this process. */
    public boolean isLost() {
        return lost != null;
    }

    /** Makes this context the thread's own, and refuses a lost or closed one. */
    void enter(String function) {
        CudaException first = lost;
        if (first != null) {
            throw new CudaException(first, function);
        }
        if (closed) {
            throw new IllegalStateException("cuda: " + function + ": the context of device " + info.ordinal() + " is closed");
        }
        if (CURRENT.get() != this) {
            CudaDriver.check(Cuda.cuCtxSetCurrent(handle), "cuCtxSetCurrent", handle.address());
            CURRENT.set(this);
        }
    }

    void check(int code, String function, Object... arguments) {
        if (code != 0) {
            throw noted(CudaDriver.failure(code, function, "", arguments));
        }
    }

    private CudaException noted(CudaException e) {
        if (e.sticky() && lost == null) {
            lost = e;
        }
        return e;
    }

    // ---- memory ----

    /** Device memory; its address. */
    public long allocate(long bytes) {
        enter("cuMemAlloc_v2");
        MemorySegment out = out();
        check(Cuda.cuMemAlloc_v2(out, bytes), "cuMemAlloc_v2", bytes);
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    /** Hands device memory back. */
    public void free(long address) {
        if (lost == null && !closed) {
            enter("cuMemFree_v2");
            check(Cuda.cuMemFree_v2(address), "cuMemFree_v2", address);
        }
    }

    /** Bytes of the device that nobody uses. */
    public long freeBytes() {
        enter("cuMemGetInfo_v2");
        MemorySegment out = out();
        check(Cuda.cuMemGetInfo_v2(out, out.asSlice(8)), "cuMemGetInfo_v2");
        return out.get(ValueLayout.JAVA_LONG, 0);
    }

    /** Host memory that the device reads and writes while the host goes on. */
    public MemorySegment allocatePinned(long bytes) {
        enter("cuMemHostAlloc");
        MemorySegment out = out();
        check(Cuda.cuMemHostAlloc(out, bytes, 0), "cuMemHostAlloc", bytes, 0);
        return out.get(Cuda.C_POINTER, 0).reinterpret(bytes);
    }

    /** Hands pinned host memory back. */
    public void freePinned(MemorySegment memory) {
        if (lost == null && !closed) {
            enter("cuMemFreeHost");
            check(Cuda.cuMemFreeHost(memory), "cuMemFreeHost", memory.address());
        }
    }

    // ---- streams and events ----

    /** A new stream. */
    public CudaStream stream() {
        enter("cuStreamCreate");
        MemorySegment out = out();
        check(Cuda.cuStreamCreate(out, NON_BLOCKING), "cuStreamCreate", NON_BLOCKING);
        return new CudaStream(this, out.get(Cuda.C_POINTER, 0));
    }

    /** A new event that takes the time. */
    public CudaEvent event() {
        enter("cuEventCreate");
        MemorySegment out = out();
        check(Cuda.cuEventCreate(out, 0), "cuEventCreate", 0);
        return new CudaEvent(this, out.get(Cuda.C_POINTER, 0));
    }

    /** Waits for all work of the device. */
    public void synchronize() {
        enter("cuCtxSynchronize");
        check(Cuda.cuCtxSynchronize(), "cuCtxSynchronize");
    }

    // ---- modules and launches ----

    /**
     * Compiles PTX text for the device.
     *
     * @throws CudaException with the compiler's log when the driver refuses it
     */
    public CudaModule module(String name, String ptx) {
        enter("cuModuleLoadDataEx");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(ptx, StandardCharsets.UTF_8);
            MemorySegment log = arena.allocate(LOG_BYTES);
            MemorySegment options = arena.allocateFrom(ValueLayout.JAVA_INT, ERROR_LOG, ERROR_LOG_BYTES);
            MemorySegment values = arena.allocateFrom(ValueLayout.JAVA_LONG, log.address(), LOG_BYTES);
            MemorySegment module = arena.allocate(Cuda.C_POINTER);
            int code = Cuda.cuModuleLoadDataEx(module, text, 2, options, values);
            if (code != 0) {
                String said = log.getString(0, StandardCharsets.UTF_8);
                String hint = code == 221 ? "the driver's PTX compiler (libnvidia-ptxjitcompiler) is not installed\n" : "";
                throw noted(CudaDriver.failure(code, "cuModuleLoadDataEx", hint + said, name));
            }
            return new CudaModule(this, name, module.get(Cuda.C_POINTER, 0), PtxEntry.of(ptx));
        }
    }

    void launch(CudaFunction f, CudaGrid grid, CudaStream stream, MemorySegment parameters) {
        enter("cuLaunchKernel");
        int code = Cuda.cuLaunchKernel(
                f.handle(), grid.x(), grid.y(), grid.z(), grid.threads(), 1, 1, grid.sharedBytes(), stream.handle(),
                parameters, MemorySegment.NULL);
        if (code != 0) {
            check(code, "cuLaunchKernel", f.entry().name(), grid);
        }
        if (SYNC) {
            check(Cuda.cuStreamSynchronize(stream.handle()), "cuStreamSynchronize", f.entry().name(), grid);
        }
    }

    /** Releases the device's context. Whoever still uses it gets an {@link IllegalStateException}. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CURRENT.remove();
            if (lost == null) {
                CudaDriver.check(Cuda.cuDevicePrimaryCtxRelease_v2(device), "cuDevicePrimaryCtxRelease_v2", device);
            }
        }
    }
}
