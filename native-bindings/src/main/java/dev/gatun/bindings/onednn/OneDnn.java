package dev.gatun.bindings.onednn;

import dev.gatun.bindings.NativeArtifact;
import dev.gatun.bindings.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Intel's oneAPI Deep Neural Network Library on this machine: found, not required. It is looked for once, in this order:
 * at the path in {@code -Dgatun.onednn}; in the artifact {@code org.bytedeco:dnnl} on the class or module path, from which
 * it is unpacked once; among the system's libraries. A place that was named or that an artifact fills is the only one, so
 * that what is wrong there is noticed.
 *
 * {@snippet :
 * System.out.println(OneDnn.missing().orElseGet(OneDnn::describe));
 * }
 */
public final class OneDnn {

    /** The property that may hold the library's path. */
    public static final String PROPERTY = "gatun.onednn";

    private static final String NAME = "oneDNN";
    private static final int MAJOR = 3;

    /** What is called; all of it has been there since 3.0. */
    private static final List<String> REQUIRED = List.of(
            "dnnl_version", "dnnl_engine_create", "dnnl_stream_create", "dnnl_stream_destroy",
            "dnnl_memory_desc_create_with_strides", "dnnl_memory_desc_destroy", "dnnl_memory_desc_get_size",
            "dnnl_memory_create", "dnnl_memory_set_data_handle", "dnnl_memory_destroy",
            "dnnl_primitive_attr_create", "dnnl_primitive_attr_set_scratchpad_mode", "dnnl_primitive_attr_destroy",
            "dnnl_matmul_primitive_desc_create", "dnnl_softmax_forward_primitive_desc_create",
            "dnnl_layer_normalization_forward_primitive_desc_create",
            "dnnl_primitive_desc_query_md", "dnnl_primitive_desc_destroy",
            "dnnl_primitive_create", "dnnl_primitive_execute", "dnnl_primitive_destroy", "dnnl_status2str");
    private static final List<String> OPEN_MP = List.of("omp_get_max_threads", "omp_set_num_threads");

    private static Probe probed;

    /** What was found. */
    public sealed interface Probe {}

    /**
     * A library that can be used.
     *
     * @param file the path or the name under which it was loaded
     * @param version such as 3.13.0
     * @param openMp whether it computes on OpenMP's threads; otherwise on the caller's alone
     * @param symbols its functions
     */
    public record Present(String file, String version, boolean openMp, SymbolLookup symbols) implements Probe {}

    /** No library that can be used, and why. */
    public record Absent(String reason) implements Probe {}

    private OneDnn() {}

    /** Looks for the library, once. */
    public static synchronized Probe probe() {
        if (probed == null) {
            probed = look(OneDnn.class.getClassLoader(), NativeArtifact.cache());
        }
        return probed;
    }

    /** Why the library cannot be used; empty when it can. */
    public static Optional<String> missing() {
        return probe() instanceof Absent absent ? Optional.of(absent.reason) : Optional.empty();
    }

    /** Version and place of the library, or why it is missing. */
    public static String describe() {
        return switch (probe()) {
            case Absent absent -> absent.reason;
            case Present present -> present.version + " from " + present.file + (present.openMp ? ", with OpenMP" : ", without threads");
        };
    }

    /** What the generated bindings look functions up in. */
    static SymbolLookup symbols() {
        return probe() instanceof Present present ? present.symbols : name -> Optional.empty();
    }

    static Probe look(ClassLoader loader, Path cache) {
        NativeLibrary library;
        try {
            Optional<Path> unpacked = System.getProperty(PROPERTY) != null ? Optional.empty()
                    : NativeArtifact.unpacked(loader, "onednn", "org/bytedeco/dnnl/" + platform() + "/", files(), cache);
            library = NativeLibrary.find(NAME, PROPERTY, unpacked.isPresent() ? new String[] {unpacked.get().toString()} : names());
        } catch (IOException e) {
            return new Absent(NAME + ": cannot unpack the artifact org.bytedeco:dnnl into " + cache + ": " + e);
        }
        return switch (library) {
            case NativeLibrary.Missing missing -> new Absent(missing.reason());
            case NativeLibrary.Present present -> checked(present.file(), present.symbols());
        };
    }

    /** As the artifact's classifiers and folders are named. */
    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch");
        return (system.startsWith("mac") ? "macosx" : system.startsWith("windows") ? "windows" : system) + "-"
                + (arch.equals("amd64") ? "x86_64" : arch.equals("aarch64") ? "arm64" : arch);
    }

    /** The library in the artifact, and its OpenMP run-time. */
    private static List<String> files() {
        return switch (platform().replaceAll("-.*", "")) {
            case "macosx" -> List.of("libdnnl.3.dylib", "libiomp5.dylib");
            case "windows" -> List.of("dnnl.dll", "libiomp5md.dll");
            default -> List.of("libdnnl.so.3", "libgomp.so.1", "libiomp5.so");
        };
    }

    private static String[] names() {
        return switch (platform().replaceAll("-.*", "")) {
            case "macosx" -> new String[] {"libdnnl.3.dylib", "libdnnl.dylib"};
            case "windows" -> new String[] {"dnnl.dll"};
            default -> new String[] {"libdnnl.so.3", "libdnnl.so"};
        };
    }

    /** A loaded library, once its version and its functions are known to be the ones we call. */
    @SuppressWarnings("restricted")
    static Probe checked(String file, SymbolLookup symbols) {
        Optional<MemorySegment> asks = symbols.find("dnnl_version");
        if (asks.isEmpty()) {
            return new Absent(NAME + ": " + file + " has no function dnnl_version");
        }
        MethodHandle call = Linker.nativeLinker().downcallHandle(asks.get(), FunctionDescriptor.of(Dnnl$shared.C_POINTER));
        MemorySegment found;
        try {
            found = dnnl_version_t.reinterpret((MemorySegment) call.invokeExact(), Arena.global(), null);
        } catch (Throwable t) {
            throw new AssertionError("a function without arguments fails", t);
        }
        String version = dnnl_version_t.major(found) + "." + dnnl_version_t.minor(found) + "." + dnnl_version_t.patch(found);
        if (dnnl_version_t.major(found) != MAJOR) {
            return new Absent(NAME + ": " + file + " is version " + version + ", needed is " + MAJOR + ".x");
        }
        int threads = dnnl_version_t.cpu_runtime(found);
        boolean openMp = threads == RUNTIME_OMP;
        if (!openMp && threads != RUNTIME_SEQ) {
            return new Absent(NAME + ": " + file + " has threads of its own (run-time " + threads
                    + "); needed is a build with OpenMP or without threads");
        }
        for (String name : REQUIRED) {
            if (symbols.find(name).isEmpty()) {
                return new Absent(NAME + ": " + file + " has no function " + name);
            }
        }
        for (String name : openMp ? OPEN_MP : List.<String>of()) {
            if (symbols.find(name).isEmpty()) {
                return new Absent(NAME + ": the OpenMP run-time of " + file + " has no function " + name);
            }
        }
        return new Present(file, version, openMp, symbols);
    }

    // dnnl_config.h; the generated constants are in a class that needs a library before it can be loaded.
    private static final int RUNTIME_SEQ = 1;
    private static final int RUNTIME_OMP = 2;
}
