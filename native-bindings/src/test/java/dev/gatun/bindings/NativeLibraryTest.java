package dev.gatun.bindings;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {

    private static final String PROPERTY = "gatun.test.library";

    @AfterEach
    void forget() {
        System.clearProperty(PROPERTY);
    }

    @Test
    void a_library_that_is_nowhere_says_what_was_tried() {
        NativeLibrary library = NativeLibrary.find("Atlantis", PROPERTY, "libatlantis.so.1", "libatlantis.so");

        assertEquals(
                new NativeLibrary.Missing("Atlantis", "Atlantis: cannot load libatlantis.so.1 or libatlantis.so; "
                        + "-Dgatun.test.library=PATH names another place"),
                library);
    }

    @Test
    void a_path_that_was_given_is_the_only_one_tried(@TempDir Path folder) {
        Path file = folder.resolve("libelsewhere.so");
        System.setProperty(PROPERTY, file.toString());

        assertEquals(
                Optional.of("maths: cannot load " + file + ", which does not exist (from -Dgatun.test.library)"),
                NativeLibrary.find("maths", PROPERTY, mathLibrary()).missing());
    }

    @Test
    void a_folder_that_was_given_is_searched_for_each_name(@TempDir Path folder) {
        System.setProperty(PROPERTY, folder.toString());

        assertEquals(
                Optional.of("maths: cannot load " + folder.resolve("a.so") + ", which does not exist or "
                        + folder.resolve("b.so") + ", which does not exist (from -Dgatun.test.library)"),
                NativeLibrary.find("maths", PROPERTY, "a.so", "b.so").missing());
    }

    @Test
    void a_function_of_a_present_library_can_be_called() throws Throwable {
        NativeLibrary.Present maths = maths();
        MethodHandle cbrt =
                maths.function("cbrt", FunctionDescriptor.of(JAVA_DOUBLE, JAVA_DOUBLE)).orElseThrow();

        assertEquals(3.0, (double) cbrt.invokeExact(27.0), 1e-15);
    }

    @Test
    void a_function_that_the_library_lacks_is_empty() {
        assertEquals(Optional.empty(), maths().function("no_such_function", FunctionDescriptor.ofVoid()));
    }

    private static NativeLibrary.Present maths() {
        NativeLibrary maths = NativeLibrary.find("maths", PROPERTY, mathLibrary());
        assumeTrue(maths.missing().isEmpty(), () -> maths.missing().orElseThrow());
        return (NativeLibrary.Present) maths;
    }

    private static String mathLibrary() {
        String system = System.getProperty("os.name");
        return system.startsWith("Mac") ? "libm.dylib" : system.startsWith("Windows") ? "msvcrt.dll" : "libm.so.6";
    }
}
