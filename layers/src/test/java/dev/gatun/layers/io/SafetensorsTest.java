package dev.gatun.layers.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {

    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("x.safetensors");
    }

    private Path fileOf(long headerBytes, byte[] rest) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(8 + rest.length).order(ByteOrder.LITTLE_ENDIAN).putLong(headerBytes).put(rest);
        return Files.write(file(), bytes.array());
    }

    private Path fileOf(String header, int dataBytes) throws IOException {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        return fileOf(text.length, ByteBuffer.allocate(text.length + dataBytes).put(text).array());
    }

    private String refusal(Path file) {
        long taken = HostPool.shared().systemAllocations();
        String message = assertThrows(FormatException.class, () -> Safetensors.open(file)).getMessage();
        assertEquals(taken, HostPool.shared().systemAllocations());
        String where = "\n  file: " + file;
        assertTrue(message.startsWith("safetensors: ") && message.endsWith(where), message);
        return message.substring("safetensors: ".length(), message.length() - where.length());
    }

    // ---- what is written is read ----

    @ParameterizedTest
    @EnumSource
    void every_dtype_comes_back_bit_for_bit(DType dtype) throws IOException {
        Tensor x = Tensor.of(dtype, Shape.of(2, 3), 0, 1, 1, 0, 0, 1);
        Safetensors.write(file(), Map.of("x", x));
        try (Safetensors read = Safetensors.open(file())) {
            assertEquals(Map.of("x", new Spec(dtype, Shape.of(2, 3))), read.specs());
            assertArrayEquals(x.toDoubles(), read.tensor("x").toDoubles());
        }
    }

    @Test
    void names_order_metadata_views_and_odd_shapes_survive() throws IOException {
        Tensor x = Tensor.arange(DType.F32, 6).reshape(2, 3);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("z \"quoted\" \\ ü\n", x.transpose());
        tensors.put("scalar", Tensor.of(DType.F64, Shape.of(), 4.5));
        tensors.put("empty", Tensor.zeros(DType.F32, Shape.of(0, 3)));
        tensors.put("a", Tensor.of(Shape.of(1), true));
        Safetensors.write(file(), tensors, Map.of("step", "12", "tab\t", "\u0001"));
        try (Safetensors read = Safetensors.open(file())) {
            assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.specs().keySet()));
            assertEquals(Map.of("step", "12", "tab\t", "\u0001"), read.metadata());
            assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, read.tensor("z \"quoted\" \\ ü\n").toFloats());
            assertEquals(4.5, read.tensor("scalar").item());
            assertEquals(Shape.of(0, 3), read.tensor("empty").shape());
            assertEquals(1, read.tensor("a").item());
        }
    }

    @Test
    void data_starts_at_a_multiple_of_64() throws IOException {
        for (String name : List.of("a", "abcdefgh", "abcdefghijklmnopqrstuvwxyz")) {
            Safetensors.write(file(), Map.of(name, Tensor.of(DType.F32, 1)));
            long header = ByteBuffer.wrap(Files.readAllBytes(file())).order(ByteOrder.LITTLE_ENDIAN).getLong();
            assertEquals(0, (8 + header) % 64);
        }
    }

    @Test
    void a_tensor_lies_over_the_mapping_and_ends_with_it() throws IOException {
        Safetensors.write(file(), Map.of("x", Tensor.of(DType.F32, 1, 2)));
        Tensor x;
        try (Safetensors read = Safetensors.open(file())) {
            x = read.tensor("x");
            assertTrue(x.segment().isMapped());
        }
        assertThrows(IllegalStateException.class, x::toFloats);
    }

    @Test
    void a_name_that_is_not_there_is_an_error() throws IOException {
        Safetensors.write(file(), Map.of());
        try (Safetensors read = Safetensors.open(file())) {
            var e = assertThrows(IllegalArgumentException.class, () -> read.tensor("x"));
            assertEquals("safetensors: no tensor \"x\"\n  file: " + file(), e.getMessage());
        }
    }

    // ---- hostile files ----

    @Test
    void a_file_shorter_than_a_length_is_refused() throws IOException {
        Files.write(file(), new byte[5]);
        assertEquals("the file has 5 bytes, the length of its header alone takes 8", refusal(file()));
    }

    @Test
    void a_header_longer_than_the_file_is_refused() throws IOException {
        assertEquals("a header of 3 bytes in a file of 10", refusal(fileOf(3, "{}".getBytes(StandardCharsets.UTF_8))));
    }

    @Test
    void a_huge_header_is_refused_before_it_is_read() throws IOException {
        assertEquals("a header of 100000001 bytes, at most 100000000 are taken", refusal(fileOf(100_000_001, new byte[2])));
        assertEquals("a header of 18446744073709551615 bytes, at most 100000000 are taken", refusal(fileOf(-1, new byte[2])));
    }

    @Test
    void a_header_that_is_not_utf_8_is_refused() throws IOException {
        assertEquals("the header is not UTF-8", refusal(fileOf(3, new byte[] {'{', (byte) 0xC3, '}'})));
    }

    static Stream<Arguments> hostile() {
        String x = "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";
        return Stream.of(
                Arguments.of("[]", 0, "the header: an object is expected, not []"),
                Arguments.of("{" + x, 8, "json: ',' or '}' is expected, not the end, at character 53"),
                Arguments.of("{" + x + "," + x + "}", 8, "json: the name \"x\" occurs twice, at character 58"),
                Arguments.of("[".repeat(100_000), 0, "json: more than 32 levels, at character 32"),
                Arguments.of("{\"x\":7}", 0, "tensor \"x\": an object is expected, not 7"),
                Arguments.of("{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
                        "tensor \"x\": the dtype nothing is none of [F32, F64, BF16, F16, I32, I64, BOOL]"),
                Arguments.of("{" + x.replace("F32", "f32") + "}", 8,
                        "tensor \"x\": the dtype \"f32\" is none of [F32, F64, BF16, F16, I32, I64, BOOL]"),
                Arguments.of("{" + x.replace("[2]", "2") + "}", 8, "tensor \"x\": shape: a list of whole numbers is expected, not 2"),
                Arguments.of("{" + x.replace("[2]", "[-2]") + "}", 8, "tensor \"x\": shape: -2 is no size or place"),
                Arguments.of("{" + x.replace("[2]", "[2.0]") + "}", 8, "tensor \"x\": shape: 2.0 is no size or place"),
                Arguments.of("{" + x.replace("[2]", "[1e3]") + "}", 8, "tensor \"x\": shape: 1000.0 is no size or place"),
                Arguments.of("{" + x.replace("[2]", "[9223372036854775808]") + "}", 8,
                        "tensor \"x\": shape: 9.223372036854776E18 is no size or place"),
                Arguments.of("{" + x.replace("[2]", "[4294967296, 4294967296]") + "}", 8,
                        "tensor \"x\": a shape of more bytes than a long can count: [4294967296, 4294967296]"),
                Arguments.of("{" + x.replace("[2]", "[2305843009213693952, 2]") + "}", 8,
                        "tensor \"x\": a shape of more bytes than a long can count: [2305843009213693952, 2]"),
                Arguments.of("{" + x.replace("[2]", "[1000000000000]") + "}", 8,
                        "tensor \"x\": f32[1000000000000] takes 4000000000000 bytes, its data_offsets span 8"),
                Arguments.of("{" + x.replace("[0,8]", "[0]") + "}", 8, "tensor \"x\": data_offsets are a begin and an end, not [0]"),
                Arguments.of("{" + x.replace("[0,8]", "[8,0]") + "}", 8, "tensor \"x\": data_offsets are a begin and an end, not [8, 0]"),
                Arguments.of("{" + x.replace("[0,8]", "[-8,0]") + "}", 8, "tensor \"x\": data_offsets: -8 is no size or place"),
                Arguments.of("{" + x + "}", 7, "tensor \"x\": its data ends at byte 8, the file has 7 bytes of data"),
                Arguments.of("{" + x + "}", 9, "bytes 8 to 9 at the end of the data belong to no tensor"),
                Arguments.of("{" + x.replace("[0,8]", "[4,12]") + "}", 12, "bytes 0 to 4 of the data, before tensor \"x\", belong to no tensor"),
                Arguments.of("{" + x + "," + x.replace("\"x\"", "\"y\"").replace("[0,8]", "[4,12]") + "}", 12,
                        "tensor \"x\" and tensor \"y\" overlap: one ends at byte 8, the other begins at 4"),
                Arguments.of("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: the value of \"a\" is no string"),
                Arguments.of("{\"__metadata__\":[]}", 0, "__metadata__: an object is expected, not []"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void a_header_that_does_not_fit_its_file_is_refused(String header, int dataBytes, String message) throws IOException {
        assertEquals(message, refusal(fileOf(header, dataBytes)));
    }

    @Test
    void no_prefix_of_a_good_file_is_taken_for_one() throws IOException {
        Safetensors.write(file(), Map.of("x", Tensor.of(DType.F32, 1, 2), "y", Tensor.of(Shape.of(1), true)));
        byte[] whole = Files.readAllBytes(file());
        for (int bytes = 0; bytes < whole.length; bytes++) {
            Files.write(file(), Arrays.copyOf(whole, bytes));
            refusal(file());
        }
    }

    /** A header with any byte changed is refused, or says something that fits the file. */
    @Test
    void no_changed_byte_of_a_header_does_more_than_be_refused() throws IOException {
        Safetensors.write(file(), Map.of("x", Tensor.of(DType.F32, 1, 2)), Map.of("a", "b"));
        byte[] whole = Files.readAllBytes(file());
        int refused = 0;
        for (int at = 0; at < whole.length - 8; at++) {
            for (char c : "0\"{,]\u0080".toCharArray()) {
                byte[] changed = whole.clone();
                changed[at] = (byte) c;
                Files.write(file(), changed);
                try (Safetensors read = Safetensors.open(file())) {
                    read.tensors().values().forEach(Tensor::toDoubles);
                } catch (FormatException e) {
                    refused++;
                }
            }
        }
        assertTrue(refused > 300, refused + " refused");
    }
}
