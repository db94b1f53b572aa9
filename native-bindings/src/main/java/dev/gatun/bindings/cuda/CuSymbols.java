package dev.gatun.bindings.cuda;

import dev.gatun.bindings.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Where the CUDA driver's functions come from: the machine's own driver, an {@link EmulatedCuda} with
 * {@code -Dgatun.cuda=emulated}, or whoever was named with {@link #use} before the first call. A driver that is not there is no failure; {@link CudaDriver#probe} says so.
 */
public final class CuSymbols {

    private static final String LIBRARY =
            System.getProperty("os.name").startsWith("Windows") ? "nvcuda.dll" : "libcuda.so.1";

    /** Every driver from 450 (CUDA 11.0) on has these. */
    static final List<String> REQUIRED = List.of(
            "cuInit", "cuDriverGetVersion", "cuGetErrorName", "cuGetErrorString",
            "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute", "cuDeviceTotalMem_v2",
            "cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2",
            "cuCtxSetCurrent", "cuCtxGetCurrent", "cuCtxSynchronize",
            "cuModuleLoadDataEx", "cuModuleLoadData", "cuModuleUnload", "cuModuleGetFunction", "cuModuleGetGlobal_v2",
            "cuFuncGetAttribute", "cuFuncSetAttribute", "cuLaunchKernel", "cuOccupancyMaxActiveBlocksPerMultiprocessor",
            "cuMemAlloc_v2", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemHostAlloc", "cuMemFreeHost",
            "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoDAsync_v2",
            "cuMemsetD8Async", "cuMemsetD32Async",
            "cuStreamCreate", "cuStreamSynchronize", "cuStreamQuery", "cuStreamWaitEvent", "cuStreamDestroy_v2",
            "cuEventCreate", "cuEventRecord", "cuEventSynchronize", "cuEventQuery", "cuEventElapsedTime",
            "cuEventDestroy_v2");

    /** Newer drivers may have these; they are looked up, never called to find out. */
    static final List<String> OPTIONAL = List.of(
            "cuMemAllocAsync", "cuMemFreeAsync", "cuLaunchKernelEx", "cuStreamBeginCapture_v2", "cuStreamEndCapture",
            "cuGraphInstantiateWithFlags", "cuGraphLaunch");

    /** The value of {@code gatun.cuda} that asks for an {@link EmulatedCuda}; every other one is a path. */
    private static final String EMULATED = "emulated";

    private static SymbolLookup chosen;
    private static Choice choice;

    /** The symbols of a driver, or why there are none. */
    private record Choice(SymbolLookup symbols, Optional<String> missing) {}

    private CuSymbols() {}

    /**
     * Takes the driver's functions from here.
     *
     * @throws IllegalStateException when another choice was used already
     */
    public static synchronized void use(SymbolLookup symbols) {
        if (choice != null && chosen != symbols) {
            throw new IllegalStateException("cuda: the driver is in use already; its symbols are chosen before the first call");
        }
        chosen = symbols;
    }

    /** What the generated bindings look functions up in. */
    static SymbolLookup lookup() {
        return choice().symbols;
    }

    /** Why there is no driver; empty when there is one with every required function. */
    static Optional<String> missing() {
        return choice().missing;
    }

    private static synchronized Choice choice() {
        if (choice == null) {
            choice = chosen != null ? checked(chosen) : isEmulated() ? emulated() : switch (NativeLibrary.find("CUDA driver", "gatun.cuda", LIBRARY)) {
                case NativeLibrary.Present present -> checked(present.symbols());
                case NativeLibrary.Missing missing -> new Choice(name -> Optional.empty(), missing.missing());
            };
        }
        return choice;
    }

    /** Whether an emulated driver was asked for. */
    static boolean isEmulated() {
        return EMULATED.equals(System.getProperty("gatun.cuda"));
    }

    private static Choice emulated() {
        Optional<EmulatedCuda> driver = ServiceLoader.load(EmulatedCuda.class).findFirst();
        return driver.isPresent() ? checked(symbols(driver.get().functions()))
                : new Choice(name -> Optional.empty(), Optional.of("CUDA driver: gatun-verify, which has the emulated one, is not on the path"));
    }

    @SuppressWarnings("restricted")
    private static SymbolLookup symbols(Map<String, MethodHandle> functions) {
        Map<String, MemorySegment> stubs = new ConcurrentHashMap<>();
        return name -> Optional.ofNullable(functions.get(name)).map(function -> stubs.computeIfAbsent(name, n ->
                Linker.nativeLinker().upcallStub(function, descriptor(function), Arena.global())));
    }

    /** How a driver's function of these types is called. */
    static FunctionDescriptor descriptor(MethodHandle function) {
        return FunctionDescriptor.of(Cuda$shared.C_INT, function.type().parameterList().stream().map(CuSymbols::layout).toArray(MemoryLayout[]::new));
    }

    private static MemoryLayout layout(Class<?> type) {
        if (type == MemorySegment.class) {
            return Cuda$shared.C_POINTER;
        }
        return type == long.class ? Cuda$shared.C_LONG_LONG : type == int.class ? Cuda$shared.C_INT
                : type == byte.class ? Cuda$shared.C_CHAR : Cuda$shared.C_FLOAT;
    }

    private static Choice checked(SymbolLookup symbols) {
        return new Choice(symbols, REQUIRED.stream()
                .filter(name -> symbols.find(name).isEmpty())
                .findFirst()
                .map(name -> "CUDA driver: it has no function " + name));
    }
}
