package dev.gatun.bindings.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class CudaDriverTest {

    private static final String PTX = """
            .version 6.0
            .target sm_70
            .address_size 64
            .visible .entry first(
                .param .u64 .ptr .align 1 first_param_0,
                .param .u32 first_param_1,
                .param .f64 first_param_2,
                .param .align 8 .b8 first_param_3[24]
            )
            .maxntid 256
            {
                ret;
            }
            .visible .entry second()
            {
                ret;
            }
            """;

    private static TreeSet<String> table() {
        TreeSet<String> table = new TreeSet<>(CuSymbols.REQUIRED);
        table.addAll(CuSymbols.OPTIONAL);
        return table;
    }

    @Test
    void every_bound_function_is_in_the_table_and_the_other_way_round() {
        TreeSet<String> bound = Arrays.stream(Cuda.class.getDeclaredMethods())
                .map(Method::getName)
                .filter(name -> name.endsWith("$descriptor"))
                .map(name -> name.substring(0, name.indexOf('$')))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(table(), bound);
    }

    @Test
    void the_header_and_the_argument_file_name_the_same_functions() throws IOException {
        Path folder = Path.of("src/main/cuda");
        assumeTrue(Files.isDirectory(folder), "the sources are not here: " + folder.toAbsolutePath());
        assertEquals(table(), named(folder.resolve("cuda_driver.h"), "CUresult (cu\\w+)\\("));
        assertEquals(table(), named(folder.resolve("jextract.args"), "--include-function (cu\\w+)"));
    }

    private static TreeSet<String> named(Path file, String pattern) throws IOException {
        return Pattern.compile(pattern).matcher(Files.readString(file)).results()
                .map(found -> found.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void without_a_driver_there_is_a_reason_and_no_failure() {
        Optional<String> missing = CuSymbols.missing();
        assumeTrue(missing.isPresent(), "this machine has a CUDA driver");
        CudaDriver.Absent absent = assertInstanceOf(CudaDriver.Absent.class, CudaDriver.probe());
        assertEquals(missing.get(), absent.reason());
        assertTrue(absent.reason().startsWith("CUDA driver: "), absent.reason());
    }

    @Test
    void an_entry_is_read_with_its_parameters_and_where_they_lie() {
        List<PtxEntry> entries = PtxEntry.all(PTX);
        assertEquals(List.of("first", "second"), entries.stream().map(PtxEntry::name).toList());
        assertEquals(
                List.of(
                        new PtxEntry.Parameter("u64", 8, 0),
                        new PtxEntry.Parameter("u32", 4, 8),
                        new PtxEntry.Parameter("f64", 8, 16),
                        new PtxEntry.Parameter("b8", 24, 24)),
                entries.getFirst().parameters());
        assertTrue(entries.getLast().parameters().isEmpty());
    }

    @Test
    void arguments_are_laid_out_as_the_kernel_declares_them() {
        PtxEntry entry = PtxEntry.all(PTX).getFirst();
        MemorySegment pointers = CudaFunction.block(entry, 7L, 8, 0.5, new long[] {1, 2, 3});
        long block = pointers.getAtIndex(ValueLayout.JAVA_LONG, 0);
        assertEquals(List.of(0L, 8L, 16L, 24L), List.of(0, 1, 2, 3).stream()
                .map(i -> pointers.getAtIndex(ValueLayout.JAVA_LONG, i) - block).toList());
        MemorySegment memory = MemorySegment.ofAddress(block).reinterpret(48);
        assertEquals(7, memory.get(ValueLayout.JAVA_LONG, 0));
        assertEquals(8, memory.get(ValueLayout.JAVA_INT, 8));
        assertEquals(0.5, memory.get(ValueLayout.JAVA_DOUBLE, 16));
        assertEquals(3, memory.get(ValueLayout.JAVA_LONG, 40));
    }

    @Test
    void arguments_of_another_type_or_number_are_refused() {
        PtxEntry entry = PtxEntry.all(PTX).getFirst();
        assertEquals("cuda: first takes 4 parameters, 1 are given", refusal(entry, 7L));
        assertEquals("cuda: parameter 1 of first is u32 of 4 bytes, given is a Long", refusal(entry, 7L, 8L, 0.5, new long[3]));
        assertEquals("cuda: parameter 2 of first is f64 of 8 bytes, given is a Float", refusal(entry, 7L, 8, 0.5f, new long[3]));
        assertEquals("cuda: parameter 3 of first is b8 of 24 bytes, given is a long[] of 16 bytes", refusal(entry, 7L, 8, 0.5, new long[2]));
    }

    private static String refusal(PtxEntry entry, Object... arguments) {
        return assertThrows(IllegalArgumentException.class, () -> CudaFunction.block(entry, arguments)).getMessage();
    }

    @Test
    void a_grid_that_no_device_takes_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> CudaGrid.of(1, 65_536, 1, 32));
        assertThrows(IllegalArgumentException.class, () -> CudaGrid.of(1, 1025));
        assertThrows(IllegalArgumentException.class, () -> CudaGrid.of(0, 32));
        assertEquals(100, CudaGrid.of(4, 32).shared(100).sharedBytes());
    }

    @Test
    void only_some_errors_lose_the_device() {
        for (int code : new int[] {700, 702, 710, 714, 715, 716, 717, 718, 719}) {
            assertTrue(new CudaException(code, "", "", "", "").sticky(), "code " + code);
        }
        for (int code : new int[] {1, 2, 218, 222, 600, 701, 713, 720}) {
            assertFalse(new CudaException(code, "", "", "", "").sticky(), "code " + code);
        }
    }

    @Test
    void a_version_reads_as_people_write_it() {
        assertEquals("12.2", CudaDriver.text(12_020));
        assertEquals("13.0", CudaDriver.text(13_000));
    }
}
