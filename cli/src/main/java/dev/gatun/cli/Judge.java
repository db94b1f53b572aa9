package dev.gatun.cli;

import dev.gatun.engine.Device;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.model.LanguageModel;
import java.util.Arrays;

/**
 * How many bits a model needs for each byte of a text. Windows overlap by half, and only bytes that have half a window
 * before them count, so that no byte is guessed from nothing; the first window counts whole, and the very first byte, which
 * nobody can guess, costs eight bits. Every byte counts once, as it does for deflate.
 */
final class Judge {

    /** A byte that is not asked for, as cross-entropy knows it. */
    private static final long IGNORED = -100;

    private static final int WINDOWS = 8;

    private final byte[] text;
    private final int context;
    private final int half;

    /** A judge of the first {@code most} bytes of a text, less what would not fill the last window. */
    Judge(Text text, int context, int most) {
        byte[] head = text.head(most);
        if (head.length <= context) {
            throw new IllegalArgumentException("judge: " + head.length + " bytes for windows of " + context);
        }
        this.context = context;
        this.half = Math.max(1, context / 2);
        this.text = Arrays.copyOf(head, 1 + context + (head.length - 1 - context) / half * half);
    }

    /** The bytes that count. */
    byte[] text() {
        return text.clone();
    }

    /** Bits per byte. */
    double bitsPerByte(LanguageModel model) {
        int windows = 1 + (text.length - 1 - context) / half;
        double bits = 8;
        for (int first = 0; first < windows; first += WINDOWS) {
            bits += bits(model, first, Math.min(windows, first + WINDOWS));
        }
        return bits / text.length;
    }

    private double bits(LanguageModel model, int from, int to) {
        int count = to - from;
        long[] ids = new long[count * context];
        long[] targets = new long[count * context];
        int asked = 0;
        for (int w = 0; w < count; w++) {
            int start = (from + w) * half;
            for (int t = 0; t < context; t++) {
                boolean counts = start == 0 || t >= context - half;
                ids[w * context + t] = text[start + t] & 0xFF;
                targets[w * context + t] = counts ? text[start + t + 1] & 0xFF : IGNORED;
                asked += counts ? 1 : 0;
            }
        }
        Shape shape = Shape.of(count, context);
        Device device = model.params().device();
        try (Scope scope = Scope.open("judging", device)) {
            return model.loss(Tensor.of(shape, ids).to(device), Tensor.of(shape, targets).to(device)).item() * asked / Math.log(2);
        }
    }
}
