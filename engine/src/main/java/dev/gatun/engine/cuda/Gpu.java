package dev.gatun.engine.cuda;

import dev.gatun.bindings.cuda.CudaContext;
import dev.gatun.bindings.cuda.CudaDriver;
import dev.gatun.bindings.cuda.CudaException;
import dev.gatun.bindings.cuda.CudaFunction;
import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.bindings.cuda.CudaModule;
import dev.gatun.bindings.cuda.CudaStream;
import dev.gatun.engine.Args;
import dev.gatun.engine.Device;
import dev.gatun.engine.DeviceException;
import dev.gatun.engine.memory.DevicePool;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;

/**
 * A GPU at work: one stream that all ops of the process are queued on, a pool of its memory, and the kernels that were
 * loaded. It is opened on first use and stays open; the host waits for it only when numbers are read out.
 */
public final class Gpu {

    private static final System.Logger LOG = System.getLogger(Gpu.class.getName());
    private static final Map<Integer, Gpu> OPEN = new ConcurrentHashMap<>();

    /** Oldest compute capability that the shipped kernels run on. */
    private static final int OLDEST = 70;

    /** Compute capability from which bf16 and the tensor cores' instructions of the upper tier are there. */
    private static final int UPPER = 80;

    private final Device device;
    private final CudaContext context;
    private final CudaStream stream;
    private final DevicePool pool;
    private final Staging staging;
    private final Faults faults;
    private final Map<Ptx, CudaModule> modules = new ConcurrentHashMap<>();
    private final Map<Object, CudaFunction> written = new ConcurrentHashMap<>();
    private final Map<String, Loaded> loaded = new ConcurrentSkipListMap<>();

    /** Shipped kernels that this GPU has taken: which text, by its hash, and how long the driver compiled. */
    public record Loaded(String name, int tier, String sha256, double millis) {}

    private Gpu(Device device, CudaDriver.Info info) {
        this.device = device;
        this.context = CudaContext.open(info);
        this.stream = context.stream();
        this.pool = new DevicePool(context, stream);
        this.faults = new Faults(context, stream);
        this.staging = new Staging(context, stream, faults);
    }

    /** The GPU with a device's number. */
    public static Gpu of(Device device) {
        Gpu open = OPEN.get(device.index());
        return open != null ? open : OPEN.computeIfAbsent(device.index(), index -> open(device));
    }

    private static Gpu open(Device device) {
        Optional<String> missing = missing(device.index());
        if (missing.isPresent()) {
            throw new DeviceException(device + ": " + missing.get());
        }
        return new Gpu(device, ((CudaDriver.Present) CudaDriver.probe()).devices().get(device.index()));
    }

    /** Why there is no GPU of this number to work with; empty when there is. */
    public static Optional<String> missing(int index) {
        return switch (CudaDriver.probe()) {
            case CudaDriver.Absent absent -> Optional.of(absent.reason());
            case CudaDriver.Present present when index < 0 || index >= present.devices().size() ->
                    Optional.of("there is no device " + index + " among " + present.devices().size());
            case CudaDriver.Present present -> {
                CudaDriver.Info info = present.devices().get(index);
                yield info.capability() >= OLDEST ? Optional.empty()
                        : Optional.of(info.name() + " has compute capability " + info.major() + "." + info.minor() + ", needed is 7.0");
            }
        };
    }

    /** What the GPU is. */
    public CudaDriver.Info info() {
        return context.info();
    }

    /** Where tensors on it live. */
    public DevicePool pool() {
        return pool;
    }

    /** The stream that all ops are queued on. */
    public CudaStream stream() {
        return stream;
    }

    /** The device's context, for what the engine does not do. */
    public CudaContext context() {
        return context;
    }

    /** Which of the shipped tiers this GPU takes: 80 or 70. */
    public int tier() {
        return tier(info());
    }

    /** Which of the shipped tiers a GPU takes: 80 or 70. */
    public static int tier(CudaDriver.Info gpu) {
        return gpu.capability() >= UPPER ? UPPER : OLDEST;
    }

    // ---- kernels ----

    /** Queues a shipped kernel; its module is loaded, and compiled by the driver, on first use. */
    public void launch(Ptx source, String kernel, CudaGrid grid, Object... arguments) {
        CudaModule module = modules.get(source);
        if (module == null) {
            module = modules.computeIfAbsent(source, this::load);
        }
        module.function(kernel).launch(stream, grid, arguments);
    }

    /** The only kernel of a text that is written when it is first asked for; equal keys stand for equal texts. */
    public CudaFunction function(Object key, String kernel, Supplier<String> text) {
        CudaFunction known = written.get(key);
        return known != null ? known : written.computeIfAbsent(key, k -> compile(kernel, text.get()).function(kernel));
    }

    /** What was loaded so far, by name. */
    public List<Loaded> loaded() {
        return List.copyOf(loaded.values());
    }

    /** How many elementwise kernels were written so far. */
    public int written() {
        return written.size();
    }

    private CudaModule load(Ptx source) {
        if (tier() == UPPER) {
            try {
                return load(source, UPPER);
            } catch (CudaException e) {
                if (e.code() != 222 && e.code() != 218 && e.code() != 209) {
                    throw e;
                }
                LOG.log(System.Logger.Level.WARNING, "the driver does not take the upper tier of " + source.name() + ", trying the lower", e);
            }
        }
        return load(source, OLDEST);
    }

    private CudaModule load(Ptx source, int tier) {
        long start = System.nanoTime();
        String text = source.text(tier);
        CudaModule module = compile(source.name(), text);
        loaded.put(source.name(), new Loaded(source.name(), tier, Ptx.hash(text), (System.nanoTime() - start) * 1e-6));
        return module;
    }

    private CudaModule compile(String name, String text) {
        long start = System.nanoTime();
        CudaModule module = context.module(name, text);
        LOG.log(System.Logger.Level.DEBUG, () -> device + ": kernels of " + name + " took " + (System.nanoTime() - start) / 1_000_000 + " ms to load");
        return module;
    }

    // ---- numbers in and out ----

    /** Copies from the host; the memory may be changed when this returns. */
    public void copyIn(long to, MemorySegment from, long bytes) {
        staging.copyIn(to, from, bytes);
    }

    /** Waits for everything queued so far and copies to the host. */
    public void copyOut(MemorySegment to, long from, long bytes) {
        staging.copyOut(to, from, bytes);
    }

    /** Waits for everything that was queued, and says so when a kernel met an index that is none. */
    public void synchronize() {
        stream.synchronize();
        faults.check();
    }

    /** Where kernels report an index out of range. */
    public long faults() {
        return faults.address();
    }

    /** The number under which a kernel reports that an index of this op is out of range. */
    public int fault(Args a, String what) {
        return faults.code(a, what);
    }

    @Override
    public String toString() {
        return device + " (" + info().name() + ")";
    }
}
