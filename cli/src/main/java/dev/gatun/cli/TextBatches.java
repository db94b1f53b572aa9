package dev.gatun.cli;

import dev.gatun.engine.Key;
import dev.gatun.layers.model.Trainer.Batch;
import dev.gatun.layers.model.Trainer.Batches;

/**
 * Windows from anywhere in a text, and what comes a byte later. The first batches are small, {@value #FIRST} bytes and
 * twice as many each time: early gradients are so alike that more says little, and the first step is done before the
 * kernels are warm.
 *
 * @param text what is learned
 * @param batch windows of a batch, once the start is over
 * @param context bytes of a window, once the start is over
 */
record TextBatches(Text text, int batch, int context) implements Batches {

    private static final int FIRST = 64;

    @Override
    public Batch batch(Key key, long index) {
        Key places = key.child(index);
        long bytes = (long) FIRST << Math.min(index, Integer.SIZE - 1);
        int length = (int) Math.min(context, bytes);
        byte[][] windows = new byte[(int) Math.clamp(bytes / length, 1, batch)][length + 1];
        for (int b = 0; b < windows.length; b++) {
            text.read(Long.remainderUnsigned(places.word(b), text.bytes() - length), windows[b]);
        }
        return Batch.of(windows);
    }
}
