package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {

    private static final Settings SMALL =
            new Settings("/a \"quoted\" text", "attention", 64, 2, 4, 2, 32, 3, false, 0.001, 100, 1.5, -7, "0123abcd");

    @TempDir
    Path folder;

    @Test
    void what_was_written_is_read_back() throws IOException {
        Path file = folder.resolve("config.json");
        SMALL.write(file);

        assertEquals(SMALL, Settings.read(file));
    }

    @Test
    void a_file_that_somebody_broke_says_where() throws IOException {
        Path file = folder.resolve("config.json");
        SMALL.write(file);
        String whole = Files.readString(file);

        assertRefused(file, whole.replace("\"width\": 64", "\"width\": true"), file + ": \"width\" cannot be true");
        assertRefused(file, whole.replace("\"depth\"", "\"deep\""), file + " has no \"depth\"");
        assertRefused(
                file,
                whole.replace("\"width\": 64", "\"width\": 66"),
                file + " holds settings that cannot be used: "
                        + "--heads: 4 heads do not cut a --width of 66 into equal, even parts");
        assertRefused(file, "[]", file + " is no JSON object");
    }

    private static void assertRefused(Path file, String text, String message) throws IOException {
        Files.writeString(file, text);
        assertEquals(message, assertThrows(UserError.class, () -> Settings.read(file)).getMessage());
    }
}
