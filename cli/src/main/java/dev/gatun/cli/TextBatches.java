package dev.gatun.cli;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.model.Trainer.Batch;
import dev.gatun.layers.model.Trainer.Batches;

/**
 * Windows from anywhere in a text, and what comes a byte later. The first batches are small, 1, 2, 4 … windows: early
 * gradients are so alike that more windows say little, and the first step is done before the kernels are warm.
 *
 * @param text what is learned
 * @param batch windows of a batch, once the start is over
 * @param context bytes of a window
 */
record TextBatches(Text text, int batch, int context) implements Batches {

    @Override
    public Batch batch(Key key, long index) {
        Key places = key.child(index);
        int windows = (int) Math.min(batch, 1L << Math.min(index, Integer.SIZE));
        byte[] window = new byte[context + 1];
        long[] ids = new long[windows * context];
        long[] targets = new long[windows * context];
        for (int b = 0; b < windows; b++) {
            text.read(Long.remainderUnsigned(places.word(b), text.bytes() - context), window);
            for (int t = 0; t < context; t++) {
                ids[b * context + t] = window[t] & 0xFF;
                targets[b * context + t] = window[t + 1] & 0xFF;
            }
        }
        Shape shape = Shape.of(windows, context);
        return new Batch(Tensor.of(shape, ids), Tensor.of(shape, targets));
    }
}
