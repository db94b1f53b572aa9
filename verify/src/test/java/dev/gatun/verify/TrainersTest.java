package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.TextWindows;
import dev.gatun.layers.model.Trainer;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Several models trained in one process: nothing of one reaches another. */
class TrainersTest {

    private static final byte[] TEXT = "to be, or not to be, that is the question. ".repeat(20).getBytes(StandardCharsets.US_ASCII);
    private static final int STEPS = 4;
    private static final int TRAINERS = 4;

    /** Parameters after some steps, on the same backend from the first call on. */
    private static float[] trained(long seed) {
        try (Backend.Narrowed fast = Backend.only(Backend.VECTOR.on() ? Backend.VECTOR : Backend.SCALAR, Backend.REFERENCE)) {
            LanguageModel model = new LanguageModel(Params.fresh(Key.of(seed), DType.F32),
                    new LanguageModel.Config("attention", 128, 16, 2, 2, 1, 32, 12, true, 10_000, 0, false));
            Trainer trainer = new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.cosine(1e-2, 1e-3, 3, 30),
                    new TextWindows(TEXT, 3, 12), Key.of(seed), 1);
            for (int step = 0; step < STEPS; step++) {
                trainer.step();
            }
            return Tensor.concat(0, model.params().values().stream().map(value -> value.detach().reshape(-1)).toList()).toFloats();
        }
    }

    private static List<float[]> together(ExecutorService threads) throws Exception {
        try (threads) {
            List<Future<float[]>> results = new ArrayList<>();
            for (long seed = 0; seed < TRAINERS; seed++) {
                long own = seed;
                results.add(threads.submit(() -> trained(own)));
            }
            List<float[]> numbers = new ArrayList<>();
            for (Future<float[]> result : results) {
                numbers.add(result.get());
            }
            return numbers;
        }
    }

    @Test
    void trainers_side_by_side_end_with_the_bits_of_each_alone() throws Exception {
        List<float[]> together = together(Executors.newFixedThreadPool(TRAINERS));
        for (int seed = 0; seed < TRAINERS; seed++) {
            assertArrayEquals(trained(seed), together.get(seed), "trainer " + seed);
        }
    }

    @Test
    void trainers_on_virtual_threads_do_too() throws Exception {
        List<float[]> together = together(Executors.newVirtualThreadPerTaskExecutor());
        for (int seed = 0; seed < TRAINERS; seed++) {
            assertArrayEquals(trained(seed), together.get(seed), "trainer " + seed);
        }
    }

    @Test
    void after_the_first_steps_no_memory_is_taken_from_the_system() {
        trained(1);
        long held = HostPool.shared().heldBytes();
        long allocations = HostPool.shared().systemAllocations();
        trained(1);
        trained(2);
        // Parameters of a finished run come back when the collector finds them; new ones may meanwhile need a slab.
        assertTrue(HostPool.shared().systemAllocations() - allocations <= 1, "memory grew over equal runs");
        assertEquals(held, HostPool.shared().heldBytes(), 4 << 20);
    }
}
