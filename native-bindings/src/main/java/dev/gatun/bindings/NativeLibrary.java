package dev.gatun.bindings;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A shared library that this machine may have or not. Its absence is a fact with a reason, not a failure: whoever
 * asked goes on without it and can say why.
 *
 * {@snippet :
 * switch (NativeLibrary.find("oneDNN", "gatun.onednn", "libdnnl.so.3", "libdnnl.so")) {
 *     case NativeLibrary.Present present -> present.function("dnnl_version", descriptor);
 *     case NativeLibrary.Missing missing -> System.out.println(missing.reason());
 * }
 * }
 */
public sealed interface NativeLibrary {

    /** What people call the library. */
    String name();

    /** Why the library cannot be used; empty when it can. */
    Optional<String> missing();

    /** A loaded library: {@code file} is the path or the name under which the system found it. */
    record Present(String name, String file, SymbolLookup symbols) implements NativeLibrary {

        @Override
        public Optional<String> missing() {
            return Optional.empty();
        }

        /** The function of that name, ready to be called; empty when this version of the library has none. */
        @SuppressWarnings("restricted")
        public Optional<MethodHandle> function(String symbol, FunctionDescriptor type, Linker.Option... options) {
            return symbols.find(symbol).map(address -> Linker.nativeLinker().downcallHandle(address, type, options));
        }
    }

    /** A library that is not here, and everything that was tried to find it. */
    record Missing(String name, String reason) implements NativeLibrary {

        @Override
        public Optional<String> missing() {
            return Optional.of(reason);
        }
    }

    /**
     * Looks for a library and loads it for the life of the process.
     *
     * @param name what people call it
     * @param property the system property that may hold a path: a file, or a folder with one of the files in it. A path
     *     that was given is the only one tried, so that a wrong one is noticed
     * @param files paths, or names to ask the system's own loader for, best first
     */
    static NativeLibrary find(String name, String property, String... files) {
        List<String> tried = new ArrayList<>();
        String given = System.getProperty(property);
        for (String candidate : given == null ? List.of(files) : below(Path.of(given), files)) {
            Optional<String> refusal = isPath(candidate) ? SharedObject.refusal(Path.of(candidate)) : Optional.empty();
            if (refusal.isPresent()) {
                tried.add(candidate + ", which " + refusal.get());
                continue;
            }
            try {
                return new Present(name, candidate, load(candidate));
            } catch (IllegalArgumentException notLoadable) {
                tried.add(candidate + (isPath(candidate) ? ", which the system's loader refuses; is all there that it needs?" : ""));
            } catch (IllegalCallerException refused) {
                return new Missing(name, name + ": native access is off; start Java with --enable-native-access="
                        + nativeModule());
            }
        }
        String hint = given == null
                ? "; -D" + property + "=PATH names another place"
                : " (from -D" + property + ")";
        return new Missing(name, name + ": cannot load " + String.join(" or ", tried) + hint);
    }

    private static List<String> below(Path given, String... files) {
        if (!Files.isDirectory(given)) {
            return List.of(given.toString());
        }
        return List.of(files).stream().map(file -> given.resolve(file).toString()).toList();
    }

    // The global arena: a library is never unloaded, so no function pointer can outlive it.
    @SuppressWarnings("restricted")
    private static SymbolLookup load(String candidate) {
        return isPath(candidate)
                ? SymbolLookup.libraryLookup(Path.of(candidate).toAbsolutePath(), Arena.global())
                : SymbolLookup.libraryLookup(candidate, Arena.global());
    }

    private static boolean isPath(String candidate) {
        return candidate.contains("/") || candidate.contains("\\");
    }

    private static String nativeModule() {
        String module = NativeLibrary.class.getModule().getName();
        return module == null ? "ALL-UNNAMED" : module;
    }
}
