package dev.gatun.layers.model;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.model.Trainer.Batch;

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
        int time = Math.toIntExact(context);
        int sequences = Math.toIntExact(batch);
        long[] ids = new long[sequences * time];
        long[] targets = new long[sequences * time];
        for (int b = 0; b < sequences; b++) {
            int start = (int) Long.remainderUnsigned(places.word(b), text.length - context);
            for (int t = 0; t < time; t++) {
                ids[b * time + t] = text[start + t] & 0xFF;
                targets[b * time + t] = text[start + t + 1] & 0xFF;
            }
        }
        return new Batch(Tensor.of(Shape.of(batch, context), ids), Tensor.of(Shape.of(batch, context), targets));
    }
}
