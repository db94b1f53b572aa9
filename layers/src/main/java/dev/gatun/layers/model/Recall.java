package dev.gatun.layers.model;

import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.model.Trainer.Batch;
import java.util.Arrays;

/**
 * Multi-query associative recall (Arora et al. 2023, "Zoology"): {@code n} different keys of 32, each followed by a value of
 * 32, then all keys again in random order. At a key's second place the model is to say its value, and nothing else is
 * asked. Tokens 0 to 31 are keys and 32 to 63 values; a sequence has {@code 3 n} of them.
 *
 * @param pairs the numbers of pairs; batch {@code i} has as many as entry {@code i} modulo their count
 * @param batch sequences in a batch
 */
public record Recall(int[] pairs, int batch) implements Trainer.Batches {

    /** How many different tokens there are. */
    public static final int VOCAB = 64;

    private static final int KEYS = 32;
    private static final long IGNORED = -100;

    public Recall {
        pairs = pairs.clone();
        if (batch < 1 || pairs.length == 0 || Arrays.stream(pairs).anyMatch(n -> n < 1 || n > KEYS)) {
            throw new IllegalArgumentException(
                    "recall: from 1 to " + KEYS + " pairs and a positive batch are needed, not " + Arrays.toString(pairs) + " and " + batch);
        }
    }

    @Override
    public Batch batch(Key key, long index) {
        Key random = key.child(index);
        int n = pairs[(int) (index % pairs.length)];
        long[] ids = new long[batch * 3 * n];
        long[] targets = new long[ids.length];
        Arrays.fill(targets, IGNORED);
        for (int b = 0; b < batch; b++) {
            int at = b * 3 * n;
            int[] keys = Arrays.copyOf(shuffled(random.child("keys"), b, KEYS), n);
            int[] order = shuffled(random.child("order"), b, n);
            for (int i = 0; i < n; i++) {
                ids[at + 2 * i] = keys[i];
                ids[at + 2 * i + 1] = KEYS + Long.remainderUnsigned(random.child("values").word((long) b * KEYS + i), KEYS);
            }
            for (int i = 0; i < n; i++) {
                ids[at + 2 * n + i] = keys[order[i]];
                targets[at + 2 * n + i] = ids[at + 2 * order[i] + 1];
            }
        }
        Shape shape = Shape.of(batch, 3 * n);
        return new Batch(Tensor.of(shape, ids), Tensor.of(shape, targets));
    }

    /** The numbers below {@code n} in random order. */
    private static int[] shuffled(Key key, int which, int n) {
        int[] numbers = new int[n];
        for (int i = 0; i < n; i++) {
            int j = (int) Long.remainderUnsigned(key.word((long) which * KEYS + i), i + 1);
            numbers[i] = numbers[j];
            numbers[j] = i;
        }
        return numbers;
    }

    /**
     * The share of values that a model gets right with so many pairs; guessing gets one of 32.
     *
     * @param batches batches of {@code batch} sequences to ask
     */
    public static double accuracy(LanguageModel model, int pairs, int batch, int batches, Key key) {
        Recall recall = new Recall(new int[] {pairs}, batch);
        long right = 0;
        for (int i = 0; i < batches; i++) {
            try (Scope scope = Scope.open("recall")) {
                Batch asked = recall.batch(key, i);
                long[] best = model.forward(asked.ids()).argmax(-1).toLongs();
                long[] wanted = asked.targets().toLongs();
                for (int t = 0; t < best.length; t++) {
                    right += wanted[t] != IGNORED && best[t] == wanted[t] ? 1 : 0;
                }
            }
        }
        return (double) right / ((long) batches * batch * pairs);
    }
}
