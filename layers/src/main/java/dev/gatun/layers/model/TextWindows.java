package dev.gatun.layers.model;

import dev.gatun.engine.Key;
import dev.gatun.layers.model.Trainer.Batch;
import java.util.Arrays;

/**
 * Batches of bytes from anywhere in a text: each sequence starts at a random place, and its targets are
 * the bytes one further on.
 *
 * @param text the bytes, which the caller leaves as they are
 * @param batch sequences in a batch
 * @param context tokens in a sequence
 */
public record TextWindows(byte[] text, long batch, long context) implements Trainer.Batches {

    public TextWindows {
        if (batch < 1 || context < 1) {
            throw new IllegalArgumentException("text: batch " + batch + " and context " + context + " must be positive");
        }
        if (text.length <= context) {
            throw new IllegalArgumentException("text: " + text.length + " bytes are too few for sequences of " + context + " and one more");
        }
    }

    @Override
    public Batch batch(Key key, long index) {
        Key places = key.child(index);
        byte[][] windows = new byte[Math.toIntExact(batch)][];
        for (int b = 0; b < windows.length; b++) {
            int start = (int) Long.remainderUnsigned(places.word(b), text.length - context);
            windows[b] = Arrays.copyOfRange(text, start, Math.toIntExact(start + context + 1));
        }
        return Batch.of(windows);
    }
}
