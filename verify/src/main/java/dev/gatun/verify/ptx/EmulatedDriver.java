package dev.gatun.verify.ptx;

import static dev.gatun.bindings.cuda.Cuda$shared.C_POINTER;

import dev.gatun.bindings.cuda.EmulatedCuda;
import dev.gatun.verify.ptx.PtxKernel.Parameter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The CUDA driver of machines without one: {@code -Dgatun.cuda=emulated} makes the engine call these functions where it
 * would call the driver's, and everything above them is the same. There are two devices: {@code cuda:0} takes the upper
 * tier of kernels, {@code cuda:1} the lower. A method is named as the symbol that it stands for, and says what the driver
 * would say; a kernel's fault is told by the next call that waits, and the device is lost then, as a real one is.
 *
 * <p>{@code -Dgatun.cuda.seed=N} chooses the order of streams, blocks and warps.
 */
public final class EmulatedDriver implements EmulatedCuda {

    private static final int VERSION = 12_020;

    /** The newest PTX that a driver of this version takes: 8.2. */
    private static final int NEWEST_PTX = 82;

    private static final long MEMORY = 1L << 30;
    private static final int MOST_STATIC_SHARED = 48 << 10;

    private static final int INVALID_VALUE = 1;
    private static final int OUT_OF_MEMORY = 2;
    private static final int NOT_INITIALIZED = 3;
    private static final int INVALID_DEVICE = 101;
    private static final int INVALID_CONTEXT = 201;
    private static final int NO_BINARY = 209;
    private static final int INVALID_PTX = 218;
    private static final int UNSUPPORTED_PTX = 222;
    private static final int INVALID_HANDLE = 400;
    private static final int NOT_FOUND = 500;
    private static final int NOT_READY = 600;
    private static final int OUT_OF_RESOURCES = 701;
    private static final int UNKNOWN = 999;

    private static final Map<Integer, String> NAMES = Map.ofEntries(
            Map.entry(0, "CUDA_SUCCESS"), Map.entry(INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"), Map.entry(OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"),
            Map.entry(NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"), Map.entry(INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"),
            Map.entry(INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"), Map.entry(NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU"),
            Map.entry(INVALID_PTX, "CUDA_ERROR_INVALID_PTX"), Map.entry(UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
            Map.entry(INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"), Map.entry(NOT_FOUND, "CUDA_ERROR_NOT_FOUND"),
            Map.entry(NOT_READY, "CUDA_ERROR_NOT_READY"), Map.entry(PtxFault.ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"),
            Map.entry(OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"), Map.entry(PtxFault.ALIGNMENT, "CUDA_ERROR_MISALIGNED_ADDRESS"),
            Map.entry(PtxFault.LAUNCH, "CUDA_ERROR_LAUNCH_FAILED"), Map.entry(UNKNOWN, "CUDA_ERROR_UNKNOWN"));

    private final Arena arena = Arena.ofShared();
    private final Map<Integer, MemorySegment> names = new HashMap<>();
    private final Map<Long, Object> handles = new HashMap<>();
    private final TreeMap<Long, Pinned> pinned = new TreeMap<>();
    private final List<Machine> machines = List.of(new Machine(80, 163, 0), new Machine(70, 96, 1));
    private final ThreadLocal<Machine> current = new ThreadLocal<>();
    private long nextHandle = 0x1000;
    private boolean started;
    private String lastFault = "";

    private record Pinned(MemorySegment memory, Arena arena) {}

    /** A device with its streams, and what ended it. */
    private static final class Machine {
        private final EmulatedGpu gpu;
        private final int sharedBytes;
        private final EmulatedStreams streams;
        private int lost;
        private long handle;

        Machine(int capability, int sharedKib, int ordinal) {
            gpu = new EmulatedGpu(capability, Long.getLong("gatun.cuda.memory", MEMORY), ordinal);
            sharedBytes = sharedKib << 10;
            Long seed = Long.getLong("gatun.cuda.seed");
            streams = new EmulatedStreams(seed == null ? 0 : seed);
            if (seed != null) {
                gpu.shuffle(seed);
            }
        }
    }

    private record Module(Machine machine, PtxModule text) {}

    private static final class Function {
        private final Machine machine;
        private final PtxKernel kernel;
        private int dynamicShared = MOST_STATIC_SHARED;

        Function(Machine machine, PtxKernel kernel) {
            this.machine = machine;
            this.kernel = kernel;
        }
    }

    private record StreamOf(Machine machine, EmulatedStreams.Stream stream) {}

    /** Made by the service loader. */
    public EmulatedDriver() {}

    @Override
    public Map<String, MethodHandle> functions() {
        Map<String, MethodHandle> functions = new HashMap<>();
        try {
            for (Method method : EmulatedDriver.class.getDeclaredMethods()) {
                if (method.getName().startsWith("cu") && !Modifier.isPrivate(method.getModifiers())) {
                    MethodHandle body = MethodHandles.lookup().unreflect(method).bindTo(this);
                    MethodHandle failed = MethodHandles.dropArguments(
                            MethodHandles.lookup().bind(this, "failed", MethodType.methodType(int.class, Throwable.class)),
                            1, method.getParameterTypes());
                    functions.put(method.getName(), MethodHandles.catchException(body, Throwable.class, failed));
                }
            }
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
        return functions;
    }

    /** The emulated devices, for those who want to look inside. */
    public List<EmulatedGpu> gpus() {
        return machines.stream().map(machine -> machine.gpu).toList();
    }

    /** A failure that the driver would return as a code. */
    private static final class Code extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final int code;

        Code(int code) {
            super("code " + code, null, false, false);
            this.code = code;
        }
    }

    // Nothing may leave an upcall but a code.
    private int failed(Throwable e) {
        if (e instanceof Code code) {
            return code.code;
        }
        synchronized (this) {
            lastFault = e instanceof PtxFault ? e.getMessage() : "the emulated device itself failed: " + e;
            int code = e instanceof PtxFault fault ? fault.code() : UNKNOWN;
            Machine machine = current.get();
            if (machine != null) {
                machine.lost = code;
                machine.streams.drop();
            }
            return code;
        }
    }

    // ---- handles ----

    private long handle(Object of) {
        handles.put(nextHandle += 0x10, of);
        return nextHandle;
    }

    private <T> T at(MemorySegment handle, Class<T> type) {
        Object found = handles.get(handle.address());
        if (!type.isInstance(found)) {
            throw new Code(INVALID_HANDLE);
        }
        return type.cast(found);
    }

    private Machine machine(int device) {
        if (!started) {
            throw new Code(NOT_INITIALIZED);
        }
        if (device < 0 || device >= machines.size()) {
            throw new Code(INVALID_DEVICE);
        }
        return machines.get(device);
    }

    /** The device of the thread's context, which must not be lost. */
    private Machine machine() {
        if (!started) {
            throw new Code(NOT_INITIALIZED);
        }
        Machine machine = current.get();
        if (machine == null) {
            throw new Code(INVALID_CONTEXT);
        }
        if (machine.lost != 0) {
            throw new Code(machine.lost);
        }
        return machine;
    }

    private static void put(MemorySegment to, int value) {
        to.set(ValueLayout.JAVA_INT, 0, value);
    }

    private static void put(MemorySegment to, long value) {
        to.set(ValueLayout.JAVA_LONG, 0, value);
    }

    // ---- the driver and its devices ----

    synchronized int cuInit(int flags) {
        started = true;
        return flags == 0 ? 0 : INVALID_VALUE;
    }

    synchronized int cuDriverGetVersion(MemorySegment version) {
        put(version, VERSION);
        return 0;
    }

    synchronized int cuGetErrorName(int error, MemorySegment name) {
        String known = NAMES.get(error);
        name.set(C_POINTER, 0, known == null ? MemorySegment.NULL : names.computeIfAbsent(error, e -> arena.allocateFrom(known)));
        return known == null ? INVALID_VALUE : 0;
    }

    synchronized int cuGetErrorString(int error, MemorySegment text) {
        boolean fault = error == PtxFault.ADDRESS || error == PtxFault.ALIGNMENT || error == PtxFault.LAUNCH || error == UNKNOWN;
        text.set(C_POINTER, 0, arena.allocateFrom(fault ? "emulated: " + lastFault : "emulated"));
        return NAMES.containsKey(error) ? 0 : INVALID_VALUE;
    }

    synchronized int cuDeviceGetCount(MemorySegment count) {
        machine(0);
        put(count, machines.size());
        return 0;
    }

    synchronized int cuDeviceGet(MemorySegment device, int ordinal) {
        machine(ordinal);
        put(device, ordinal);
        return 0;
    }

    synchronized int cuDeviceGetName(MemorySegment name, int length, int device) {
        String text = "sm_" + machine(device).gpu.capability() + " (emulated)";
        if (text.length() >= length) {
            return INVALID_VALUE;
        }
        name.setString(0, text);
        return 0;
    }

    synchronized int cuDeviceGetAttribute(MemorySegment value, int attribute, int device) {
        Machine machine = machine(device);
        switch (attribute) {
            case 1 -> put(value, 1024);
            case 8 -> put(value, MOST_STATIC_SHARED);
            case 10 -> put(value, 32);
            case 16 -> put(value, 1);
            case 75 -> put(value, machine.gpu.capability() / 10);
            case 76 -> put(value, machine.gpu.capability() % 10);
            case 97 -> put(value, machine.sharedBytes);
            case 115 -> put(value, 0);
            default -> {
                return INVALID_VALUE;
            }
        }
        return 0;
    }

    synchronized int cuDeviceTotalMem_v2(MemorySegment bytes, int device) {
        put(bytes, machine(device).gpu.memory().capacity());
        return 0;
    }

    // ---- contexts ----

    synchronized int cuDevicePrimaryCtxRetain(MemorySegment context, int device) {
        Machine machine = machine(device);
        if (machine.handle == 0) {
            machine.handle = handle(machine);
        }
        context.set(C_POINTER, 0, MemorySegment.ofAddress(machine.handle));
        return 0;
    }

    synchronized int cuDevicePrimaryCtxRelease_v2(int device) {
        Machine machine = machine(device);
        machine.streams.all();
        return 0;
    }

    synchronized int cuCtxSetCurrent(MemorySegment context) {
        current.set(context.address() == 0 ? null : at(context, Machine.class));
        return 0;
    }

    synchronized int cuCtxGetCurrent(MemorySegment context) {
        context.set(C_POINTER, 0, current.get() == null ? MemorySegment.NULL : MemorySegment.ofAddress(current.get().handle));
        return 0;
    }

    synchronized int cuCtxSynchronize() {
        machine().streams.all();
        return 0;
    }

    // ---- modules and functions ----

    synchronized int cuModuleLoadDataEx(MemorySegment module, MemorySegment image, int options, MemorySegment optionNames, MemorySegment values) {
        Machine machine = machine();
        try {
            return load(machine, module, image);
        } catch (PtxRefusal e) {
            MemorySegment log = null;
            long size = 0;
            for (int i = 0; i < options; i++) {
                switch (optionNames.getAtIndex(ValueLayout.JAVA_INT, i)) {
                    case 5 -> log = values.getAtIndex(C_POINTER, i);
                    case 6 -> size = values.getAtIndex(ValueLayout.JAVA_LONG, i);
                    default -> { }
                }
            }
            if (log != null && size > 0) {
                log.setString(0, e.getMessage().substring(0, (int) Math.min(e.getMessage().length(), (size - 1) / 4)));
            }
            return INVALID_PTX;
        }
    }

    synchronized int cuModuleLoadData(MemorySegment module, MemorySegment image) {
        Machine machine = machine();
        try {
            return load(machine, module, image);
        } catch (PtxRefusal e) {
            return INVALID_PTX;
        }
    }

    private int load(Machine machine, MemorySegment module, MemorySegment image) {
        PtxModule text = PtxModule.of(image.getString(0));
        if (text.version() > NEWEST_PTX) {
            return UNSUPPORTED_PTX;
        }
        if (text.target() > machine.gpu.capability()) {
            return NO_BINARY;
        }
        module.set(C_POINTER, 0, MemorySegment.ofAddress(handle(new Module(machine, text))));
        return 0;
    }

    synchronized int cuModuleUnload(MemorySegment module) {
        Module known = at(module, Module.class);
        known.machine.streams.all();
        handles.remove(module.address());
        return 0;
    }

    synchronized int cuModuleGetFunction(MemorySegment function, MemorySegment module, MemorySegment name) {
        machine();
        Module known = at(module, Module.class);
        PtxKernel kernel = known.text.kernels().get(name.getString(0));
        if (kernel == null) {
            return NOT_FOUND;
        }
        function.set(C_POINTER, 0, MemorySegment.ofAddress(handle(new Function(known.machine, kernel))));
        return 0;
    }

    /** Texts with variables in global memory are refused, so no name is known. */
    synchronized int cuModuleGetGlobal_v2(MemorySegment address, MemorySegment bytes, MemorySegment module, MemorySegment name) {
        at(module, Module.class);
        return NOT_FOUND;
    }

    synchronized int cuFuncGetAttribute(MemorySegment value, int attribute, MemorySegment function) {
        Function known = at(function, Function.class);
        switch (attribute) {
            case 0 -> put(value, known.kernel.mostThreads);
            case 1 -> put(value, known.kernel.sharedBytes);
            case 3 -> put(value, 0);
            case 8 -> put(value, known.dynamicShared);
            default -> {
                return INVALID_VALUE;
            }
        }
        return 0;
    }

    synchronized int cuFuncSetAttribute(MemorySegment function, int attribute, int value) {
        Function known = at(function, Function.class);
        if (attribute != 8 || value < 0 || value + known.kernel.sharedBytes > known.machine.sharedBytes) {
            return INVALID_VALUE;
        }
        known.dynamicShared = value;
        return 0;
    }

    synchronized int cuLaunchKernel(
            MemorySegment function, int x, int y, int z, int threadsX, int threadsY, int threadsZ, int sharedBytes,
            MemorySegment stream, MemorySegment parameters, MemorySegment extra) {
        Machine machine = machine();
        Function known = at(function, Function.class);
        Launch.Grid grid = new Launch.Grid(x, y, z, threadsX, threadsY, threadsZ);
        if (x < 1 || y < 1 || z < 1 || y > 65_535 || z > 65_535 || grid.threads() < 1 || grid.threads() > 1024
                || sharedBytes < 0 || sharedBytes > known.dynamicShared || known.machine != machine || extra.address() != 0) {
            return INVALID_VALUE;
        }
        if (grid.threads() > known.kernel.mostThreads) {
            return OUT_OF_RESOURCES;
        }
        byte[] block = new byte[known.kernel.parameterBytes];
        int i = 0;
        for (Parameter parameter : known.kernel.parameters.values()) {
            MemorySegment.copy(parameters.getAtIndex(C_POINTER, i++), ValueLayout.JAVA_BYTE, 0, block, parameter.offset(), parameter.bytes());
        }
        queue(stream, () -> machine.gpu.launch(known.kernel, grid, sharedBytes, block));
        return 0;
    }

    synchronized int cuOccupancyMaxActiveBlocksPerMultiprocessor(MemorySegment blocks, MemorySegment function, int threads, long sharedBytes) {
        Function known = at(function, Function.class);
        put(blocks, threads > known.kernel.mostThreads || sharedBytes > known.machine.sharedBytes ? 0 : 1);
        return 0;
    }

    // ---- memory ----

    synchronized int cuMemAlloc_v2(MemorySegment address, long bytes) {
        if (bytes <= 0) {
            return INVALID_VALUE;
        }
        long found = machine().gpu.memory().allocate(bytes);
        put(address, found);
        return found == 0 ? OUT_OF_MEMORY : 0;
    }

    /** Waits for the device first, as the driver does. */
    synchronized int cuMemFree_v2(long address) {
        Machine machine = machine();
        machine.streams.all();
        if (address != 0) {
            machine.gpu.memory().free(address);
        }
        return 0;
    }

    synchronized int cuMemGetInfo_v2(MemorySegment free, MemorySegment total) {
        DeviceMemory memory = machine().gpu.memory();
        put(free, memory.capacity() - memory.used());
        put(total, memory.capacity());
        return 0;
    }

    synchronized int cuMemHostAlloc(MemorySegment address, long bytes, int flags) {
        machine();
        Arena own = Arena.ofShared();
        MemorySegment memory = own.allocate(bytes, 64);
        pinned.put(memory.address(), new Pinned(memory, own));
        address.set(C_POINTER, 0, memory);
        return 0;
    }

    synchronized int cuMemFreeHost(MemorySegment address) {
        machine().streams.all();
        Pinned known = pinned.remove(address.address());
        if (known == null) {
            return INVALID_VALUE;
        }
        known.arena.close();
        return 0;
    }

    private boolean isPinned(MemorySegment host, long bytes) {
        Map.Entry<Long, Pinned> below = pinned.floorEntry(host.address());
        return below != null && host.address() + bytes <= below.getKey() + below.getValue().memory.byteSize();
    }

    synchronized int cuMemcpyHtoD_v2(long to, MemorySegment from, long bytes) {
        Machine machine = machine();
        machine.streams.all();
        machine.gpu.memory().write(to, from, bytes);
        return 0;
    }

    synchronized int cuMemcpyDtoH_v2(MemorySegment to, long from, long bytes) {
        Machine machine = machine();
        machine.streams.all();
        machine.gpu.memory().read(to, from, bytes);
        return 0;
    }

    /** Pinned memory is read when the copy is made, other memory now. */
    synchronized int cuMemcpyHtoDAsync_v2(long to, MemorySegment from, long bytes, MemorySegment stream) {
        Machine machine = machine();
        MemorySegment source = isPinned(from, bytes) ? from
                : MemorySegment.ofArray(from.asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE));
        queue(stream, () -> machine.gpu.memory().write(to, source, bytes));
        return 0;
    }

    synchronized int cuMemcpyDtoHAsync_v2(MemorySegment to, long from, long bytes, MemorySegment stream) {
        Machine machine = machine();
        StreamOf queued = queue(stream, () -> machine.gpu.memory().read(to, from, bytes));
        if (!isPinned(to, bytes)) {
            machine.streams.until(queued.stream::done);
        }
        return 0;
    }

    synchronized int cuMemcpyDtoDAsync_v2(long to, long from, long bytes, MemorySegment stream) {
        Machine machine = machine();
        queue(stream, () -> machine.gpu.memory().copy(to, from, bytes));
        return 0;
    }

    synchronized int cuMemsetD8Async(long to, byte value, long count, MemorySegment stream) {
        Machine machine = machine();
        queue(stream, () -> machine.gpu.memory().fill(to, value, 1, count));
        return 0;
    }

    synchronized int cuMemsetD32Async(long to, int value, long count, MemorySegment stream) {
        Machine machine = machine();
        queue(stream, () -> machine.gpu.memory().fill(to, value, 4, count));
        return 0;
    }

    // ---- streams and events ----

    private StreamOf queue(MemorySegment stream, Runnable work) {
        StreamOf known = at(stream, StreamOf.class);
        known.machine.streams.add(known.stream, work);
        return known;
    }

    synchronized int cuStreamCreate(MemorySegment stream, int flags) {
        Machine machine = machine();
        stream.set(C_POINTER, 0, MemorySegment.ofAddress(handle(new StreamOf(machine, machine.streams.open()))));
        return 0;
    }

    synchronized int cuStreamSynchronize(MemorySegment stream) {
        machine();
        StreamOf known = at(stream, StreamOf.class);
        known.machine.streams.until(known.stream::done);
        return 0;
    }

    synchronized int cuStreamQuery(MemorySegment stream) {
        machine();
        StreamOf known = at(stream, StreamOf.class);
        if (known.stream.done()) {
            return 0;
        }
        known.machine.streams.until(known.stream::done);
        return NOT_READY;
    }

    synchronized int cuStreamWaitEvent(MemorySegment stream, MemorySegment event, int flags) {
        machine();
        StreamOf known = at(stream, StreamOf.class);
        known.machine.streams.await(known.stream, at(event, EmulatedStreams.Event.class));
        return 0;
    }

    synchronized int cuStreamDestroy_v2(MemorySegment stream) {
        machine();
        StreamOf known = at(stream, StreamOf.class);
        known.machine.streams.until(known.stream::done);
        known.machine.streams.close(known.stream);
        handles.remove(stream.address());
        return 0;
    }

    synchronized int cuEventCreate(MemorySegment event, int flags) {
        machine();
        event.set(C_POINTER, 0, MemorySegment.ofAddress(handle(new EmulatedStreams.Event())));
        return 0;
    }

    synchronized int cuEventRecord(MemorySegment event, MemorySegment stream) {
        machine();
        StreamOf known = at(stream, StreamOf.class);
        known.machine.streams.record(known.stream, at(event, EmulatedStreams.Event.class));
        return 0;
    }

    synchronized int cuEventSynchronize(MemorySegment event) {
        EmulatedStreams.Event known = at(event, EmulatedStreams.Event.class);
        machine().streams.until(known::done);
        return 0;
    }

    /** A program that asks again and again gets on: each question is a reason to work until the mark. */
    synchronized int cuEventQuery(MemorySegment event) {
        EmulatedStreams.Event known = at(event, EmulatedStreams.Event.class);
        if (known.done()) {
            return 0;
        }
        machine().streams.until(known::done);
        return NOT_READY;
    }

    synchronized int cuEventElapsedTime(MemorySegment milliseconds, MemorySegment start, MemorySegment end) {
        EmulatedStreams.Event first = at(start, EmulatedStreams.Event.class);
        EmulatedStreams.Event last = at(end, EmulatedStreams.Event.class);
        if (!first.done() || !last.done()) {
            return NOT_READY;
        }
        milliseconds.set(ValueLayout.JAVA_FLOAT, 0, (last.nanos() - first.nanos()) * 1e-6f);
        return 0;
    }

    synchronized int cuEventDestroy_v2(MemorySegment event) {
        at(event, EmulatedStreams.Event.class);
        handles.remove(event.address());
        return 0;
    }
}
