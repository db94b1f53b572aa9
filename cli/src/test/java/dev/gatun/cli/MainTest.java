package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.layers.model.LanguageModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {

    private static final String[] SMALL = {
        "--width", "16", "--depth", "1", "--context", "16", "--batch", "2", "--heads", "2"
    };

    @TempDir
    Path folder;

    private Path text;
    private Path out;
    private String error;

    @BeforeEach
    void write() throws IOException {
        text = Files.writeString(folder.resolve("text"), "the quick brown fox jumps over the lazy dog. ".repeat(50));
        out = folder.resolve("run");
    }

    private int gatun(String... args) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.execute(new PrintStream(err, true, UTF_8), args);
        error = err.toString(UTF_8).strip();
        return code;
    }

    private int train(Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("train", "--text", text.toString(), "--out", out.toString()));
        args.addAll(List.of(SMALL));
        args.addAll(List.of(more));
        return gatun(args.toArray(String[]::new));
    }

    @Test
    void a_run_leaves_checkpoint_metrics_sample_and_report() throws IOException {
        assertEquals(0, train(out, "--steps", "3"), error);

        assertEquals(3, Metrics.read(out.resolve("metrics.csv")).size());
        assertEquals(16, LanguageModel.read(out.resolve("checkpoint.safetensors")).config().width());
        assertTrue(Files.readString(out.resolve("report.html")).contains("bits per byte"));
        assertTrue(Files.readString(out.resolve("sample.txt")).length() > 100);
    }

    @Test
    void a_run_that_is_resumed_goes_on_where_it_was() throws IOException {
        assertEquals(0, train(out, "--steps", "2"), error);
        assertEquals(0, gatun("train", "--resume", out.toString(), "--steps", "4"), error);

        List<Metrics.Row> rows = Metrics.read(out.resolve("metrics.csv"));
        assertEquals(List.of(1L, 2L, 3L, 4L), rows.stream().map(Metrics.Row::step).toList());
        assertEquals(4 * 32, rows.getLast().tokens());
    }

    @Test
    void a_run_that_is_done_is_not_resumed() {
        assertEquals(0, train(out, "--steps", "1"), error);

        assertEquals(2, gatun("train", "--resume", out.toString()));
        assertEquals(
                "gatun train: the run has made 1 steps in 0:00, as it was told; "
                        + "give a larger --steps or --minutes, counted from the start",
                error.replaceAll("\\d:\\d\\d", "0:00"));
    }

    @Test
    void a_run_is_not_resumed_on_another_text() throws IOException {
        assertEquals(0, train(out, "--steps", "1"), error);
        Files.writeString(text, "and one more", StandardOpenOption.APPEND);

        assertEquals(2, gatun("train", "--resume", out.toString(), "--steps", "2"));
        assertTrue(
                error.startsWith("gatun train: --resume: the text is not the one that " + out + " was trained on: "), error);
    }

    @Test
    void text_depends_on_model_prompt_and_seed_alone() {
        assertEquals(0, train(out, "--steps", "1"), error);

        byte[] once = generated("--seed", "7");
        assertEquals("the ", new String(once, 0, 4, ISO_8859_1));
        assertEquals(4 + 20 + System.lineSeparator().length(), once.length);
        assertArrayEquals(once, generated("--seed", "7"));
    }

    private byte[] generated(String... more) {
        List<String> args = new ArrayList<>(
                List.of("generate", "--run", out.toString(), "--prompt", "the ", "--length", "20"));
        args.addAll(List.of(more));
        PrintStream before = System.out;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setOut(new PrintStream(bytes));
        try {
            assertEquals(0, gatun(args.toArray(String[]::new)), error);
        } finally {
            System.setOut(before);
        }
        return bytes.toByteArray();
    }

    @Test
    void input_that_cannot_be_used_is_one_line_and_exit_code_two() {
        assertRefused("gatun: Unmatched argument at index 0: 'trian'; gatun --help tells more", "trian");
        assertRefused(
                "gatun train: Invalid value for option '--steps': 'x' is not a long; gatun train --help tells more",
                "train", "--steps", "x");
        assertRefused("gatun train: --steps: must be at least 1, is 0", "train", "--steps", "0");
        assertRefused("gatun train: --minutes: must be more than 0, is -1.0", "train", "--minutes", "-1");
        assertRefused("gatun train: --width: must be at least 1, is -4", "train", "--width", "-4");
        assertRefused(
                "gatun train: --heads: 1 heads do not cut a --width of 33 into equal, even parts", "train", "--width", "33");
        assertRefused(
                "gatun train: --layer: there is no \"x\"; there are " + String.join(", ", LanguageModel.layers()),
                "train", "--layer", "x");
        assertRefused("gatun train: --threads: must be at least 1, is 0", "train", "--threads", "0");
        assertRefused(
                "gatun train: --resume: goes on with what the run was made of; only --steps, --minutes and --threads go with it",
                "train", "--resume", out.toString(), "--width", "32");
        assertRefused("gatun train: --text: /no/such/text does not exist", "train", "--text", "/no/such/text");
        assertRefused("gatun generate: --run: there is no folder /no/such/run", "generate", "--run", "/no/such/run");
        assertRefused("gatun generate: --temperature: must not be negative, is -1.0", "generate", "--run", "x", "--temperature", "-1");
    }

    @Test
    void a_checkpoint_cut_short_is_named_and_not_read() throws IOException {
        assertEquals(0, train(out, "--steps", "1"), error);
        Path checkpoint = out.resolve("checkpoint.safetensors");
        byte[] whole = Files.readAllBytes(checkpoint);
        Files.write(checkpoint, Arrays.copyOf(whole, whole.length - 8));

        assertEquals(2, gatun("generate", "--run", out.toString()));
        assertTrue(error.startsWith("gatun generate: safetensors: tensor \""), error);
        assertTrue(error.endsWith("\n  file: " + checkpoint), error);
    }

    private void assertRefused(String message, String... args) {
        assertEquals(2, gatun(args));
        assertEquals(message, error);
    }

    @Test
    void layers_are_compared_on_text_and_recall() throws IOException {
        assertEquals(0, gatun("compare", "--layers", "attention;attention,attention", "--text", text.toString(), "--out", out.toString(),
                "--minutes", "0.003", "--recall-steps", "2", "--width", "32", "--depth", "2", "--context", "16", "--batch", "2"), error);
        List<String> lines = Files.readAllLines(out.resolve("compare.csv"));
        assertEquals(4, lines.size());
        assertTrue(lines.get(2).startsWith("\"attention,attention\",\""), lines.get(2));
        assertTrue(Files.readString(out.resolve("compare.html")).contains("Layers compared"));

        assertEquals(2, gatun("compare", "--layers", "attention;nothing", "--minutes", "1"));
        assertTrue(error.startsWith("gatun compare: --layer: there is no \"nothing\""), error);
    }

    @Test
    void every_layer_can_be_explained() {
        for (String layer : LanguageModel.layers()) {
            assertEquals(0, gatun("explain", layer, "--tokens", "3"), layer + ": " + error);
        }
        assertEquals(2, gatun("explain", "nothing"));
        assertEquals("gatun explain: there is no layer \"nothing\"; there are " + String.join(", ", LanguageModel.layers()),
                error.strip());
    }
}
