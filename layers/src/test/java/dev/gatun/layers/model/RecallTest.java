package dev.gatun.layers.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.layers.Params;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.jupiter.api.Test;

class RecallTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 32})
    void every_key_is_asked_once_for_the_value_that_followed_it(int pairs) {
        Trainer.Batch batch = new Recall(new int[] {pairs}, 3).batch(Key.of(7), 5);
        long[] ids = batch.ids().toLongs();
        long[] targets = batch.targets().toLongs();
        for (int b = 0; b < 3; b++) {
            int at = b * 3 * pairs;
            Map<Long, Long> told = new HashMap<>();
            for (int i = 0; i < pairs; i++) {
                assertTrue(ids[at + 2 * i] < 32 && ids[at + 2 * i + 1] >= 32 && ids[at + 2 * i + 1] < 64);
                assertEquals(null, told.put(ids[at + 2 * i], ids[at + 2 * i + 1]), "keys differ");
                assertEquals(-100, targets[at + 2 * i]);
                assertEquals(-100, targets[at + 2 * i + 1]);
            }
            for (int i = 0; i < pairs; i++) {
                assertEquals(told.remove(ids[at + 2 * pairs + i]), targets[at + 2 * pairs + i]);
            }
        }
    }

    @Test
    void a_batch_depends_on_its_key_and_number_alone() {
        Recall recall = new Recall(new int[] {4, 8}, 2);
        long[] first = recall.batch(Key.of(1), 2).ids().toLongs();
        recall.batch(Key.of(2), 9);
        assertArrayEquals(first, recall.batch(Key.of(1), 2).ids().toLongs());
        assertEquals(2 * 3 * 8, recall.batch(Key.of(1), 3).ids().toLongs().length);
        assertTrue(!Arrays.equals(first, recall.batch(Key.of(1), 4).ids().toLongs()));
    }

    /** One pair is the case that a few steps learn: the value stands before the question. */
    @Test
    void a_model_that_attends_learns_a_single_pair() {
        LanguageModel.Config config = new LanguageModel.Config("attention", Recall.VOCAB, 32, 2, 2, 2, 64, 96, false, 10_000, 0, false);
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(1), DType.F32), config);
        Trainer trainer = new Trainer(
                model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.constant(5e-3), new Recall(new int[] {1}, 32), Key.of(2), 1);
        double before = Recall.accuracy(model.frozen(), 1, 32, 4, Key.of(3));
        while (trainer.steps() < 60) {
            trainer.step();
        }
        double after = Recall.accuracy(model.frozen(), 1, 32, 4, Key.of(3));
        assertTrue(before < 0.2 && after > 0.9, before + " became " + after);
    }

    @Test
    void more_pairs_than_keys_are_refused() {
        var e = assertThrows(IllegalArgumentException.class, () -> new Recall(new int[] {33}, 1));
        assertEquals("recall: from 1 to 32 pairs and a positive batch are needed, not [33] and 1", e.getMessage());
    }
}
