package dev.gatun.bindings.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The CUDA driver of this machine and its devices. No driver, one that is too old, or one without a device is a fact
 * with a reason:
 *
 * {@snippet :
 * switch (CudaDriver.probe()) {
 *     case CudaDriver.Present present -> System.out.println(present.devices());
 *     case CudaDriver.Absent absent -> System.out.println(absent.reason());
 * }
 * }
 */
public final class CudaDriver {

    /** CUDA 11.8: the oldest driver that loads what Gatun ships. */
    private static final int OLDEST = 11_080;

    private static final int OUT_BYTES = 1024;
    private static final ThreadLocal<MemorySegment> OUT =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(OUT_BYTES, 64));

    private static Probe probed;

    /** What was found. */
    public sealed interface Probe {}

    /** A driver with devices; {@code version} is 12020 for CUDA 12.2. */
    public record Present(int version, List<Info> devices) implements Probe {}

    /** No driver that can be used, and why. */
    public record Absent(String reason) implements Probe {}

    /**
     * A device.
     *
     * @param ordinal its number
     * @param name what its maker calls it
     * @param major first number of the compute capability
     * @param minor second number of the compute capability
     * @param bytes its memory
     * @param multiprocessors how many there are
     * @param sharedBytes shared memory a block may ask for
     * @param memoryPools whether the driver's own pools are there
     */
    public record Info(
            int ordinal, String name, int major, int minor, long bytes, int multiprocessors, int sharedBytes,
            boolean memoryPools) {

        /** The compute capability as one number: 80 for 8.0. */
        public int capability() {
            return 10 * major + minor;
        }

        /** Whether it is no GPU but an {@link EmulatedCuda}. */
        public boolean emulated() {
            return CuSymbols.isEmulated();
        }
    }

    private CudaDriver() {}

    /** Looks for the driver and its devices, once. */
    public static synchronized Probe probe() {
        if (probed == null) {
            probed = look();
        }
        return probed;
    }

    private static Probe look() {
        Optional<String> missing = CuSymbols.missing();
        if (missing.isPresent()) {
            return new Absent(missing.get());
        }
        try {
            check(Cuda.cuInit(0), "cuInit", 0);
            MemorySegment out = out();
            check(Cuda.cuDriverGetVersion(out), "cuDriverGetVersion");
            int version = out.get(ValueLayout.JAVA_INT, 0);
            if (version < OLDEST) {
                return new Absent("CUDA driver: too old, it is for CUDA " + text(version) + ", needed is " + text(OLDEST));
            }
            check(Cuda.cuDeviceGetCount(out), "cuDeviceGetCount");
            int count = out.get(ValueLayout.JAVA_INT, 0);
            if (count == 0) {
                return new Absent("CUDA driver: there is no device");
            }
            List<Info> devices = new ArrayList<>();
            for (int ordinal = 0; ordinal < count; ordinal++) {
                devices.add(info(ordinal));
            }
            return new Present(version, List.copyOf(devices));
        } catch (CudaException e) {
            return new Absent("CUDA driver: " + e.getMessage());
        }
    }

    private static Info info(int ordinal) {
        MemorySegment out = out();
        check(Cuda.cuDeviceGet(out, ordinal), "cuDeviceGet", ordinal);
        int device = out.get(ValueLayout.JAVA_INT, 0);
        check(Cuda.cuDeviceGetName(out, OUT_BYTES, device), "cuDeviceGetName", device);
        String name = out.getString(0);
        check(Cuda.cuDeviceTotalMem_v2(out, device), "cuDeviceTotalMem_v2", device);
        long bytes = out.get(ValueLayout.JAVA_LONG, 0);
        return new Info(ordinal, name, attribute(device, 75), attribute(device, 76), bytes, attribute(device, 16),
                attribute(device, 97), attribute(device, 115) == 1);
    }

    static int attribute(int device, int attribute) {
        MemorySegment out = out();
        check(Cuda.cuDeviceGetAttribute(out, attribute, device), "cuDeviceGetAttribute", attribute, device);
        return out.get(ValueLayout.JAVA_INT, 0);
    }

    /** A driver's version in words: 12020 is 12.2. */
    public static String text(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    /** Memory of this thread that the driver may write a result to. */
    static MemorySegment out() {
        return OUT.get();
    }

    static void check(int code, String function, Object... arguments) {
        if (code != 0) {
            throw failure(code, function, "", arguments);
        }
    }

    static CudaException failure(int code, String function, String log, Object... arguments) {
        String call = function + Arrays.stream(arguments).map(CudaDriver::shown).collect(Collectors.joining(", ", "(", ")"));
        return new CudaException(code, said(code, true), said(code, false), call, log);
    }

    private static String shown(Object argument) {
        return argument instanceof Long number ? "0x" + Long.toHexString(number) : String.valueOf(argument);
    }

    private static String said(int code, boolean name) {
        MemorySegment out = out();
        int known = name ? Cuda.cuGetErrorName(code, out) : Cuda.cuGetErrorString(code, out);
        return known != 0 ? "unknown error" : out.get(Cuda.C_POINTER, 0).getString(0);
    }
}
