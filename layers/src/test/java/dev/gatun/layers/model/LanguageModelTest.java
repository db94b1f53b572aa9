package dev.gatun.layers.model;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Goldens;
import dev.gatun.layers.MismatchException;
import dev.gatun.layers.Params;
import dev.gatun.layers.Step;
import dev.gatun.layers.model.LanguageModel.Config;
import dev.gatun.layers.optim.AdamW;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class LanguageModelTest {

    private static final Map<String, String> STORED = Map.ofEntries(
            Map.entry("embed.weight", "embed"), Map.entry("norm.weight", "norm3"), Map.entry("head.weight", "head"),
            Map.entry("blocks.0.mixer_norm.weight", "norm1"), Map.entry("blocks.0.ffn_norm.weight", "norm2"),
            Map.entry("blocks.0.mixer.query.weight", "mixer.wq"), Map.entry("blocks.0.mixer.key.weight", "mixer.wk"),
            Map.entry("blocks.0.mixer.value.weight", "mixer.wv"), Map.entry("blocks.0.mixer.out.weight", "mixer.wo"),
            Map.entry("blocks.0.ffn.gate.weight", "ffn_gate"), Map.entry("blocks.0.ffn.up.weight", "ffn_up"),
            Map.entry("blocks.0.ffn.down.weight", "ffn_down"));

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void training_follows_the_stored_losses_and_ends_at_the_stored_parameters(DType dtype) throws Exception {
        try (Goldens golden = new Goldens("tiny_lm_attention", dtype)) {
            Config config = new Config("attention", 13, 16, 1, 2, 1, 24, 9, false, 10_000, 0, false);
            Params params = Params.fresh(Key.of(1), dtype);
            LanguageModel model = new LanguageModel(params, config);
            params.update(params.names().stream().map(name -> golden.get("param." + STORED.get(name))).toList(), (w, stored) -> stored);
            AdamW adamw = new AdamW(params, new AdamW.Settings(golden.number("beta1"), golden.number("beta2"),
                    golden.number("eps"), golden.number("weight_decay")));
            Tensor ids = golden.get("in.ids").slice(1, 0, 9);
            Tensor targets = golden.get("in.ids").slice(1, 1, 10);
            int steps = (int) golden.number("steps");
            double[] losses = new double[steps + 1];
            for (int step = 0; step <= steps; step++) {
                try (Scope scope = Scope.open("step")) {
                    Tensor loss = model.loss(ids, targets);
                    losses[step] = loss.item();
                    List<Tensor> slopes = grad(loss, params.values());
                    if (step == 0) {
                        golden.assertMet("out.loss0", loss);
                        for (int i = 0; i < slopes.size(); i++) {
                            golden.assertMet("grad.param." + STORED.get(params.names().get(i)), slopes.get(i));
                        }
                    }
                    if (step < steps) {
                        adamw.step(slopes, golden.number("lr"));
                    }
                }
            }
            golden.assertMet("out.losses", Tensor.of(DType.F64, losses));
            params.trainable().forEach((name, value) -> golden.assertMet("out.final." + STORED.get(name), value));
        }
    }

    private static final Config SMALL = new Config("attention", 31, 16, 2, 4, 2, 24, 12, true, 10_000, 0, true);

    private static Tensor ids(long time) {
        long[] ids = new long[Math.toIntExact(time)];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = Math.floorMod(Key.of(9).word(i), 31);
        }
        return Tensor.of(Shape.of(1, time), ids);
    }

    static List<String> layers() {
        return LanguageModel.layers();
    }

    @ParameterizedTest
    @MethodSource("layers")
    void reading_a_prompt_and_then_token_by_token_is_reading_it_all_at_once(String layer) {
        Config config = new Config(layer, 31, 16, 2, 4, 2, 24, 12, true, 10_000, 0, true);
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(2), DType.F64), config).frozen();
        Tensor whole = model.forward(ids(40));
        assertFalse(whole.tracked());
        Step<LanguageModel.State> step = model.forward(ids(40).slice(1, 0, 25), model.start(1), Form.PARALLEL);
        List<Tensor> parts = new ArrayList<>(List.of(step.y()));
        for (int t = 25; t < 40; t++) {
            step = model.forward(ids(40).slice(1, t, t + 1), step.state(), Form.RECURRENT);
            parts.add(step.y());
        }
        assertArrayEquals(whole.toDoubles(), Tensor.concat(1, parts).toDoubles(), 1e-12);
    }

    @ParameterizedTest
    @MethodSource("layers")
    void a_model_of_any_layer_learns_a_sentence(String layer) {
        Config config = new Config(layer, 31, 16, 2, 4, 2, 24, 12, true, 10_000, 0, true);
        Params params = Params.fresh(Key.of(2), DType.F32);
        LanguageModel model = new LanguageModel(params, config);
        AdamW adamw = new AdamW(params, new AdamW.Settings(0.9, 0.95, 1e-8, 0.1));
        double first = 0;
        double last = 0;
        for (int step = 0; step < 20; step++) {
            try (Scope scope = Scope.open("step")) {
                Tensor loss = model.loss(ids(20).slice(1, 0, 19), ids(20).slice(1, 1, 20));
                last = loss.item();
                first = step == 0 ? last : first;
                adamw.step(grad(loss, params.values()), 0.01);
            }
        }
        assertEquals(Math.log(31), first, 0.1, "before training every token is about as likely");
        assertTrue(last < 0.8 * first, first + " nats a token became " + last);
    }

    @Test
    void a_frozen_model_sees_what_training_does() {
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(2), DType.F32), SMALL);
        LanguageModel frozen = model.frozen();
        float[] before = frozen.forward(ids(5)).toFloats();
        model.params().update(model.params().values(), (w, same) -> w.mul(2));
        float[] after = frozen.forward(ids(5)).toFloats();
        assertArrayEquals(model.forward(ids(5)).toFloats(), after, 1e-5f);
        assertTrue(Math.abs(after[0]) > 1.5 * Math.abs(before[0]), before[0] + " then " + after[0]);
    }

    @Test
    void projections_back_into_the_sum_start_smaller() {
        Params params = Params.fresh(Key.of(2), DType.F64);
        new LanguageModel(params, new Config("attention", 64, 64, 2, 4, 4, 96, 8, true, 1e4, 0, false));
        // 4096 draws and more: five standard errors of a deviation are 0.055 of it
        assertEquals(0.02, deviation(params.entries().get("blocks.1.mixer.query.weight")), 0.02 * 0.055);
        assertEquals(0.01, deviation(params.entries().get("blocks.1.mixer.out.weight")), 0.01 * 0.055);
        assertEquals(0.01, deviation(params.entries().get("blocks.0.ffn.down.weight")), 0.01 * 0.055);
        assertEquals(0.02, deviation(params.entries().get("embed.weight")), 0.02 * 0.055);
    }

    private static double deviation(Tensor t) {
        return Math.sqrt(t.square().mean().item());
    }

    @Test
    void an_unknown_layer_is_an_error_that_names_the_known_ones() {
        var e = assertThrows(IllegalArgumentException.class, () -> new LanguageModel(Params.fresh(Key.of(2), DType.F32),
                new Config("telepathy", 31, 16, 2, 4, 2, 24, 12, true, 10_000, 0, true)));
        assertEquals("model: no layer \"telepathy\"; there are " + String.join(", ", LanguageModel.layers()), e.getMessage());
    }

    @TempDir
    Path folder;

    @Test
    void a_saved_model_is_read_with_its_configuration() throws Exception {
        Path file = folder.resolve("m.safetensors");
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(2), DType.F32), SMALL);
        model.save(file);
        LanguageModel read = LanguageModel.read(file);
        assertEquals(SMALL, read.config());
        assertArrayEquals(model.forward(ids(5)).toFloats(), read.forward(ids(5)).toFloats(), 1e-5f);
    }

    @Test
    void a_file_without_a_configuration_is_no_model() throws Exception {
        Path file = folder.resolve("m.safetensors");
        Params.fresh(Key.of(2), DType.F32).save(file, Map.of());
        var e = assertThrows(IllegalArgumentException.class, () -> LanguageModel.read(file));
        assertEquals("model: " + file + " carries no configuration of a model", e.getMessage());
    }

    @Test
    void parameters_of_another_configuration_are_refused_at_once() throws Exception {
        Path file = folder.resolve("m.safetensors");
        Params params = Params.fresh(Key.of(2), DType.F32);
        new LanguageModel(params, SMALL);
        params.save(file, Map.of());
        Config other = new Config("attention", 31, 16, 2, 4, 4, 24, 12, false, 10_000, 0, true);
        var e = assertThrows(MismatchException.class, () -> new LanguageModel(Params.read(file), other));
        assertEquals(file + " " + """
                does not fit the model: 1 missing, 0 extra, 4 different
                  missing: head.weight f32[31, 16]
                  different: blocks.0.mixer.key.weight is f32[8, 16], wanted is f32[16, 16]
                  different: blocks.0.mixer.value.weight is f32[8, 16], wanted is f32[16, 16]
                  different: blocks.1.mixer.key.weight is f32[8, 16], wanted is f32[16, 16]
                  different: blocks.1.mixer.value.weight is f32[8, 16], wanted is f32[16, 16]""", e.getMessage());
    }
}
