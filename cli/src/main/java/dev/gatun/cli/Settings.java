package dev.gatun.cli;

import dev.gatun.layers.SwiGlu;
import dev.gatun.layers.io.AtomicFile;
import dev.gatun.layers.io.Json;
import dev.gatun.layers.model.LanguageModel;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Everything that decides what a run computes. A run folder keeps it as {@code config.json}.
 *
 * @param text a file or folder to learn from; empty for the sources of the JDK
 * @param layer what mixes tokens; several names, with commas between, are for the blocks in turn
 * @param width features of a token
 * @param depth blocks
 * @param heads heads of attention
 * @param kvHeads key and value heads
 * @param context bytes of a training sequence
 * @param batch sequences of a step
 * @param tied whether the head shares the embedding's weights
 * @param rate the highest learning rate
 * @param steps how many steps to make in all; 0 for as many as there is time for
 * @param minutes how long to train in all; 0 for as long as the steps take
 * @param seed of the cut of the text, of weights and batches
 * @param fingerprint of the text and its cut; empty before it was read
 */
record Settings(
        String text,
        String layer,
        long width,
        long depth,
        long heads,
        long kvHeads,
        long context,
        long batch,
        boolean tied,
        double rate,
        long steps,
        double minutes,
        long seed,
        String fingerprint) {

    /** The highest learning rate unless another is given. */
    static final double RATE = 0.003;

    private static final long BYTES = 256;

    /** Refuses what cannot be trained, naming the option. */
    Settings {
        positive("--width", width);
        positive("--depth", depth);
        positive("--heads", heads);
        positive("--kv-heads", kvHeads);
        positive("--context", context);
        positive("--batch", batch);
        require(rate > 0, "--rate: must be more than 0, is " + rate);
        require(steps >= 0, "--steps: must be at least 1, is " + steps);
        require(minutes >= 0 && minutes < 1e6, "--minutes: must be more than 0, is " + minutes);
        require(steps > 0 || minutes > 0, "--steps and --minutes: one of both must say when to stop");
        require(context >= 2 && context <= 1 << 20, "--context: must be from 2 to 1048576, is " + context);
        require(batch <= 1 << 16, "--batch: must be at most 65536, is " + batch);
        require(width <= 1 << 16 && depth <= 1 << 10, "--width and --depth: at most 65536 and 1024");
        require(
                width % heads == 0 && width / heads % 2 == 0,
                "--heads: " + heads + " heads do not cut a --width of " + width + " into equal, even parts");
        require(heads % kvHeads == 0, "--kv-heads: " + heads + " heads cannot share " + kvHeads + " equally");
        for (String name : layer.split(",", -1)) {
            require(
                    LanguageModel.layers().contains(name.strip()),
                    "--layer: there is no \"" + name.strip() + "\"; there are " + String.join(", ", LanguageModel.layers()));
        }
    }

    /** Heads unless another number is given: one for 32 features. */
    static long heads(long width) {
        return Math.max(1, width / 32);
    }

    /** Key and value heads unless another number is given: half the heads, where that is whole. */
    static long kvHeads(long heads) {
        return heads % 2 == 0 ? heads / 2 : heads;
    }

    private static void positive(String option, long value) {
        require(value >= 1, option + ": must be at least 1, is " + value);
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new UserError(message);
        }
    }

    /** The same with another end. */
    Settings until(long steps, double minutes) {
        return new Settings(
                text, layer, width, depth, heads, kvHeads, context, batch, tied, rate, steps, minutes, seed, fingerprint);
    }

    /** The same with the text it was read from. */
    Settings reading(String fingerprint) {
        return new Settings(
                text, layer, width, depth, heads, kvHeads, context, batch, tied, rate, steps, minutes, seed, fingerprint);
    }

    /** The model that is trained. */
    LanguageModel.Config model() {
        return new LanguageModel.Config(
                layer, BYTES, width, depth, heads, kvHeads, SwiGlu.hidden(width, 32), context, tied, 10_000, 0, false);
    }

    /** Each setting by its name. */
    Map<String, Object> values() {
        Map<String, Object> values = new LinkedHashMap<>();
        for (RecordComponent component : Settings.class.getRecordComponents()) {
            try {
                values.put(component.getName(), component.getAccessor().invoke(this));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
        return values;
    }

    /** Writes all of them as one JSON object. */
    void write(Path path) throws IOException {
        String json = values().entrySet().stream()
                .map(entry -> "  " + Json.quote(entry.getKey()) + ": "
                        + (entry.getValue() instanceof String s ? Json.quote(s) : entry.getValue()))
                .collect(Collectors.joining(",\n", "{\n", "\n}\n"));
        AtomicFile.write(path, channel -> writeAll(channel, json));
    }

    private static void writeAll(FileChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Reads what {@link #write} wrote. */
    static Settings read(Path path) throws IOException {
        if (!(Json.parse(Files.readString(path)) instanceof Map<?, ?> values)) {
            throw new UserError(path + " is no JSON object");
        }
        RecordComponent[] components = Settings.class.getRecordComponents();
        Object[] arguments = new Object[components.length];
        Class<?>[] types = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            types[i] = components[i].getType();
            arguments[i] = value(path, components[i].getName(), types[i], values.get(components[i].getName()));
        }
        try {
            return Settings.class.getDeclaredConstructor(types).newInstance(arguments);
        } catch (InvocationTargetException e) {
            throw new UserError(path + " holds settings that cannot be used: " + e.getCause().getMessage());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object value(Path path, String name, Class<?> type, Object value) {
        return switch (value) {
            case Long number when type == long.class -> number;
            case Number number when type == double.class -> number.doubleValue();
            case Boolean truth when type == boolean.class -> truth;
            case String word when type == String.class -> word;
            case null -> throw new UserError(path + " has no \"" + name + "\"");
            default -> throw new UserError(path + ": \"" + name + "\" cannot be " + value);
        };
    }
}
