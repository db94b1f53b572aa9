package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {

    private static final LocalDateTime NOW = LocalDateTime.of(2026, 1, 2, 3, 4, 5);

    @TempDir
    Path runs;

    @Test
    void a_run_is_named_for_its_time_and_layer() {
        RunFolder folder = RunFolder.create(runs.resolve("deep/er"), NOW, "attention");

        assertEquals("20260102-030405-attention", folder.name());
        assertTrue(Files.isDirectory(folder.path()));
    }

    @Test
    void a_second_run_in_the_same_second_has_its_own_folder() {
        RunFolder.create(runs, NOW, "attention");

        assertEquals("20260102-030405-attention-2", RunFolder.create(runs, NOW, "attention").name());
    }

    @Test
    void a_run_is_never_overwritten() throws IOException {
        Files.createFile(runs.resolve("config.json"));

        assertEquals(
                "--out: " + runs + " holds a run already; go on with it by --resume, or choose another",
                assertThrows(UserError.class, () -> RunFolder.at(runs)).getMessage());
    }

    @Test
    void a_folder_that_is_no_run_says_what_it_lacks() throws IOException {
        assertEquals(
                "--run: there is no folder " + runs.resolve("x"),
                assertThrows(UserError.class, () -> RunFolder.existing("--run", runs.resolve("x"))).getMessage());

        Files.createFile(runs.resolve("config.json"));

        assertEquals(
                "--run: " + runs + " holds no checkpoint.safetensors, which every run has once it has saved",
                assertThrows(UserError.class, () -> RunFolder.existing("--run", runs)).getMessage());
    }
}
