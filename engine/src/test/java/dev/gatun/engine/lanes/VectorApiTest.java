package dev.gatun.engine.lanes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a process says and does with the Vector API, without it, and with a width that does not exist. */
@Tag("once")
class VectorApiTest {

    /** Takes a square root in a loop, and says whether there are vectors. */
    public static final class Child {
        public static void main(String[] args) {
            Loop loop = LaneCompiler.compile(DType.F32, List.of(DType.F32), List.of(DType.F32),
                    List.of(Expr.input(0).sqrt()), List.of(Access.DENSE));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment x = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 9);
                loop.run(new MemorySegment[] {x, x}, new long[2], new long[2], new double[0], 1);
                System.out.println(VectorApi.present() + " " + x.get(ValueLayout.JAVA_FLOAT, 0) + " " + VectorApi.missing());
            }
        }
    }

    private static String child(String... flags) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(Arrays.asList(flags));
        command.addAll(List.of("-cp", String.join(java.io.File.pathSeparator, "target/classes", "target/test-classes"),
                Child.class.getName()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return said;
    }

    private static final String MISSING = "elementwise loops, products and reductions run as scalar code, several times"
            + " slower than they could: start the JVM with --add-modules jdk.incubator.vector";

    @Test
    void without_the_module_loops_are_scalar_and_one_line_says_so() throws Exception {
        String said = child();
        assertTrue(said.contains("false 3.0 " + MISSING), said);
        assertEquals(1, said.lines().filter(("WARNING: " + MISSING)::equals).count(), said);
    }

    @Test
    void with_the_module_nothing_is_missing() throws Exception {
        String said = child("--add-modules", "jdk.incubator.vector");
        assertTrue(said.contains("true 3.0 "), said);
    }

    @Test
    void vectors_can_be_turned_off() throws Exception {
        String said = child("--add-modules", "jdk.incubator.vector", "-Dgatun.vector=false");
        assertTrue(said.contains("false 3.0 vector loops are turned off by -Dgatun.vector=false"), said);
    }

    @Test
    void a_width_that_does_not_exist_is_refused() throws Exception {
        String said = child("--add-modules", "jdk.incubator.vector", "-Dgatun.bits=100");
        assertTrue(said.contains("java.lang.IllegalArgumentException: gatun.bits: must be 128, 256 or 512, is 100"), said);
    }
}
