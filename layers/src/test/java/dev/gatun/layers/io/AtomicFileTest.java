package dev.gatun.layers.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Child;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {

    @TempDir
    Path folder;

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void a_disk_that_fills_up_leaves_the_file_before() throws IOException {
        Path file = folder.resolve("a");
        Files.writeString(file, "before");
        var e = assertThrows(IOException.class, () -> AtomicFile.write(file, channel -> {
            channel.write(ByteBuffer.wrap("after".getBytes()));
            throw new IOException("No space left on device");
        }));
        assertEquals("No space left on device", e.getMessage());
        assertEquals("before", Files.readString(file));
        assertEquals(List.of("a"), names());
    }

    @Test
    void folders_on_the_way_are_made() throws IOException {
        Path file = folder.resolve("run/1/a");
        AtomicFile.write(file, channel -> channel.write(ByteBuffer.wrap("x".getBytes())));
        assertEquals("x", Files.readString(file));
    }

    @Test
    @Tag("once")
    void a_kill_while_saving_leaves_the_file_before() throws Exception {
        Path file = folder.resolve("model.safetensors");
        Safetensors.write(file, Map.of("x", Tensor.of(DType.F32, 1, 2)));
        Process child = Child.start(List.of(), Saver.class, file.toString());
        assertEquals("half", child.inputReader().readLine());
        child.destroyForcibly().waitFor();
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(2, read.tensor("x").get(1));
        }
    }

    /** Saves half a file, says so and waits to be killed. */
    static final class Saver {
        public static void main(String[] args) throws Exception {
            AtomicFile.write(Path.of(args[0]), channel -> {
                channel.write(ByteBuffer.allocate(1 << 20));
                System.out.println("half");
                System.out.flush();
                try {
                    Thread.sleep(60_000);
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            });
        }
    }

    @Test
    void a_tensor_without_numbers_leaves_the_file_before() throws IOException {
        Path file = folder.resolve("model.safetensors");
        Safetensors.write(file, Map.of("x", Tensor.of(DType.F32, 1, 2)));
        Tensor numberless = Tensor.of(new Spec(DType.F32, Shape.of(2)));
        assertThrows(IllegalArgumentException.class, () -> Safetensors.write(file, Map.of("x", numberless)));
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(1, read.tensor("x").get(0));
        }
        assertEquals(List.of("model.safetensors"), names());
    }
}
