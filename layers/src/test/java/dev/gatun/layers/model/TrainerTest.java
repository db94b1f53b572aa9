package dev.gatun.layers.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.layers.MismatchException;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel.Config;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Muon;
import dev.gatun.layers.optim.Schedule;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainerTest {

    private static final byte[] TEXT = "the quick brown fox jumps over the lazy dog. ".repeat(20).getBytes(StandardCharsets.US_ASCII);
    private static final Config CONFIG = new Config("attention", 128, 16, 2, 2, 1, 32, 12, true, 10_000, 0, false);

    @TempDir
    Path folder;

    // Which twin of a kernel answers depends on when it is warm; plain loops always answer alike.
    private Backend.Narrowed plain;

    @BeforeEach
    void onlyPlainLoops() {
        plain = Backend.only(Backend.SCALAR, Backend.REFERENCE);
    }

    @AfterEach
    void allBackends() {
        plain.close();
    }

    private static Trainer trainer(long seed, boolean muon) {
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(seed), DType.F32), CONFIG);
        var optimizer = muon ? new Muon(model.params(), Muon.Settings.DEFAULT, AdamW.Settings.DEFAULT)
                : new AdamW(model.params(), AdamW.Settings.DEFAULT);
        return new Trainer(model, optimizer, Schedule.cosine(1e-2, 1e-3, 3, 30), new TextWindows(TEXT, 4, 12), Key.of(seed), 1);
    }

    private static float[] numbers(Trainer trainer) {
        return Tensor.concat(0, trainer.model().params().values().stream().map(value -> value.detach().reshape(-1)).toList()).toFloats();
    }

    @Test
    void the_loss_falls() {
        Trainer trainer = trainer(1, false);
        Trainer.Metrics first = trainer.step();
        for (int i = 0; i < 28; i++) {
            trainer.step();
        }
        Trainer.Metrics last = trainer.step();
        assertEquals(Math.log(128), first.loss(), 0.1);
        assertTrue(last.loss() < 0.75 * first.loss(), first + " then " + last);
        assertEquals(29, last.step());
        assertEquals(48, last.tokens());
        assertEquals(30, trainer.steps());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_resumed_run_has_the_bits_of_one_that_never_stopped(boolean muon) throws Exception {
        Path file = folder.resolve("checkpoint.safetensors");
        Trainer whole = trainer(1, muon);
        for (int i = 0; i < 6; i++) {
            whole.step();
        }
        Trainer before = trainer(1, muon);
        for (int i = 0; i < 3; i++) {
            before.step();
        }
        before.checkpoint(file);
        Trainer after = trainer(2, muon);
        after.resume(file);
        assertEquals(3, after.steps());
        for (int i = 0; i < 3; i++) {
            after.step();
        }
        assertArrayEquals(numbers(whole), numbers(after));
    }

    @Test
    void a_batch_depends_on_key_and_number_and_its_targets_are_one_byte_further() {
        TextWindows windows = new TextWindows(TEXT, 2, 5);
        Trainer.Batch batch = windows.batch(Key.of(1), 0);
        assertArrayEquals(batch.ids().toLongs(), windows.batch(Key.of(1), 0).ids().toLongs());
        assertFalse(Arrays.equals(batch.ids().toLongs(), windows.batch(Key.of(2), 0).ids().toLongs()));
        assertFalse(Arrays.equals(batch.ids().toLongs(), windows.batch(Key.of(1), 1).ids().toLongs()));
        assertArrayEquals(batch.ids().slice(1, 1, 5).toLongs(), batch.targets().slice(1, 0, 4).toLongs());
    }

    @Test
    void a_text_shorter_than_a_sequence_is_refused() {
        var e = assertThrows(IllegalArgumentException.class, () -> new TextWindows(new byte[5], 1, 5));
        assertEquals("text: 5 bytes are too few for sequences of 5 and one more", e.getMessage());
    }

    @Test
    void a_checkpoint_is_a_model_that_can_be_read() throws Exception {
        Path file = folder.resolve("checkpoint.safetensors");
        Trainer trainer = trainer(1, false);
        trainer.step();
        trainer.checkpoint(file);
        LanguageModel read = LanguageModel.read(file);
        assertEquals(CONFIG, read.config());
        assertEquals(trainer.model().params().names(), read.params().names());
    }

    @Test
    void a_checkpoint_of_another_optimiser_changes_nothing() throws Exception {
        Path file = folder.resolve("checkpoint.safetensors");
        trainer(1, true).checkpoint(file);
        Trainer other = trainer(2, false);
        float[] before = numbers(other);
        var e = assertThrows(MismatchException.class, () -> other.resume(file));
        // AdamW keeps two tensors for each of the 14 hidden matrices, Muon one and a count.
        assertTrue(e.getMessage().startsWith("trainer: " + file + " does not fit: 28 missing, 15 extra, 0 different\n  missing: "), e.getMessage());
        assertArrayEquals(before, numbers(other));
    }

    @Test
    void a_configuration_that_shapes_do_not_show_is_compared_too() throws Exception {
        Path file = folder.resolve("checkpoint.safetensors");
        trainer(1, false).checkpoint(file);
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(1), DType.F32),
                new Config("attention", 128, 16, 2, 2, 1, 32, 12, true, 500, 0, false));
        Trainer other = new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.constant(1e-3),
                new TextWindows(TEXT, 4, 12), Key.of(1), 1);
        var e = assertThrows(MismatchException.class, () -> other.resume(file));
        assertEquals("trainer: the configurations of " + file + " and of the model differ\n  ropeBase: 10000.0 and 500.0", e.getMessage());
    }

    @Test
    void a_loss_that_is_not_finite_stops_before_anything_is_changed() {
        Trainer trainer = trainer(1, false);
        Params params = trainer.model().params();
        params.update(params.values(), (w, same) -> w.mul(Double.NaN));
        var e = assertThrows(ArithmeticException.class, trainer::step);
        assertEquals("trainer: step 0 has a loss of NaN and a gradient of norm NaN; nothing was changed", e.getMessage());
        assertEquals(0, trainer.steps());
    }

    @Test
    void memory_held_is_constant_over_steps() {
        Trainer trainer = trainer(1, false);
        for (int i = 0; i < 3; i++) {
            trainer.step();
        }
        long systemAllocations = HostPool.shared().systemAllocations();
        long held = HostPool.shared().heldBytes();
        for (int i = 0; i < 20; i++) {
            trainer.step();
        }
        assertEquals(systemAllocations, HostPool.shared().systemAllocations());
        assertEquals(held, HostPool.shared().heldBytes());
    }
}
