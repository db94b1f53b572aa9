package dev.gatun.cli;

import dev.gatun.engine.Key;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.Writer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.IntConsumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lets a trained model write. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Lets the model of a run go on with a text, byte by byte.")
final class GenerateCommand implements Callable<Integer> {

    @Option(names = "--run", paramLabel = "DIR", required = true, description = "The folder of a run.")
    private Path run;

    @Option(names = "--prompt", paramLabel = "TEXT", defaultValue = "\n", description = "What to go on with.")
    private String prompt;

    @Option(
            names = "--temperature",
            paramLabel = "X",
            defaultValue = "0.8",
            description = "Below 1 likely bytes become likelier; 0 takes the likeliest (default: 0.8).")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "N",
            defaultValue = "0",
            description = "Draws from the N likeliest bytes only (default: from all).")
    private int top;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Another seed, another text (default: 1).")
    private long seed;

    @Option(names = "--length", paramLabel = "N", defaultValue = "500", description = "Bytes to write (default: 500).")
    private int length;

    @Mixin
    private Threads threads;

    @Override
    public Integer call() throws IOException {
        require(temperature >= 0, "--temperature: must not be negative, is " + temperature);
        require(top >= 0, "--top-k: must not be negative, is " + top);
        require(length >= 0, "--length: must not be negative, is " + length);
        require(!prompt.isEmpty(), "--prompt: must have at least one byte");
        threads.apply();
        LanguageModel model = LanguageModel.read(RunFolder.existing("--run", run).checkpoint());
        byte[] bytes = prompt.getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
        write(new Writer(model, Key.of(seed), temperature, top), bytes, length, b -> {
            System.out.write(b);
            System.out.flush();
        });
        System.out.println();
        return 0;
    }

    /** Reads a prompt and hands on {@code length} bytes as they are written. */
    static void write(Writer writer, byte[] prompt, int length, IntConsumer sink) {
        long[] ids = new long[prompt.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = prompt[i] & 0xFF;
        }
        writer.read(ids);
        for (int i = 0; i < length; i++) {
            sink.accept((int) writer.write());
        }
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new UserError(message);
        }
    }
}
