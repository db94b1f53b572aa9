package dev.gatun.layers.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Goldens;
import dev.gatun.layers.MismatchException;
import dev.gatun.layers.Params;
import dev.gatun.layers.io.Safetensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The update rules against stored trajectories of ten steps. */
class OptimizerGoldenTest {

    private static Params params(Goldens golden, DType dtype) {
        Params params = Params.fresh(Key.of(1), dtype);
        params.make("p", golden.get("in.p0").shape(), (key, spec) -> golden.get("in.p0"));
        return params;
    }

    private static Tensor row(Tensor t, long step) {
        return t.slice(0, step, step + 1).dropAxis(0);
    }

    /** Values after each step, one behind the other. */
    private static Tensor run(Goldens golden, Params params, Optimizer optimizer) throws Exception {
        Tensor gradients = golden.get("in.grads");
        List<Tensor> after = new ArrayList<>();
        try (Scope scope = Scope.open("steps")) {
            for (long step = 0; step < gradients.dim(0); step++) {
                optimizer.step(List.of(row(gradients, step)), golden.number("lr"));
                after.add(params.values().getFirst().detach().mul(1).insertAxis(0));
            }
            return scope.keep(Tensor.concat(0, after));
        }
    }

    @ParameterizedTest
    @CsvSource({"adamw_10_steps, F64", "adamw_10_steps, F32", "adamw_10_steps_no_decay, F64", "adamw_10_steps_no_decay, F32"})
    void adamw_follows_the_stored_steps(String name, DType dtype) throws Exception {
        try (Goldens golden = new Goldens(name, dtype)) {
            Params params = params(golden, dtype);
            AdamW adamw = new AdamW(params, new AdamW.Settings(golden.number("beta1"), golden.number("beta2"),
                    golden.number("eps"), golden.number("weight_decay")));
            golden.assertMet("out.p", run(golden, params, adamw));
            golden.assertMet("out.exp_avg", adamw.state().get("adamw.m.p"));
            golden.assertMet("out.exp_avg_sq", adamw.state().get("adamw.v.p"));
            assertEquals(10, adamw.state().get("adamw.steps").item());
        }
    }

    @ParameterizedTest
    @CsvSource({"muon_10_steps_wide, F64", "muon_10_steps_wide, F32", "muon_10_steps_tall, F64", "muon_10_steps_tall, F32"})
    void muon_follows_the_stored_steps(String name, DType dtype) throws Exception {
        try (Goldens golden = new Goldens(name, dtype)) {
            Params params = params(golden, dtype);
            Muon muon = new Muon(params, new Muon.Settings(golden.number("momentum"), golden.truth("nesterov"),
                    (int) golden.number("ns_steps"), golden.number("weight_decay"), 0.1), AdamW.Settings.DEFAULT);
            golden.assertMet("out.p", run(golden, params, muon));
            golden.assertMet("out.momentum", muon.state().get("muon.m.p"));
        }
    }

    @Test
    void a_state_goes_through_a_file(@TempDir Path folder) throws Exception {
        Params params = Params.fresh(Key.of(1), DType.F32);
        params.weight("w", 3, 2);
        AdamW adamw = new AdamW(params, AdamW.Settings.DEFAULT);
        adamw.step(List.of(Tensor.ones(DType.F32, Shape.of(2, 3))), 0.1);
        Safetensors.write(folder.resolve("state"), adamw.state());
        AdamW other = new AdamW(params, AdamW.Settings.DEFAULT);
        try (Safetensors file = Safetensors.open(folder.resolve("state"))) {
            other.restore(file.tensors());
        }
        adamw.state().forEach((name, tensor) -> assertArrayEquals(tensor.toDoubles(), other.state().get(name).toDoubles(), name));
        assertEquals(List.of("adamw.steps", "adamw.m.w", "adamw.v.w"), List.copyOf(adamw.state().keySet()));
        var e = assertThrows(MismatchException.class, () -> other.restore(Map.of("adamw.m.w", Tensor.zeros(DType.F32, Shape.of(2)))));
        assertEquals("""
                the state does not fit the optimiser: 2 missing, 0 extra, 1 different
                  missing: adamw.steps i64[]
                  missing: adamw.v.w f32[2, 3]
                  different: adamw.m.w is f32[2], wanted is f32[2, 3]""", e.getMessage());
    }

    @Test
    void gradients_of_other_parameters_are_refused() {
        Params params = Params.fresh(Key.of(1), DType.F32);
        params.weight("w", 3, 2);
        AdamW adamw = new AdamW(params, AdamW.Settings.DEFAULT);
        var e = assertThrows(IllegalArgumentException.class, () -> adamw.step(List.of(), 0.1));
        assertEquals("adamW: 0 gradients for 1 parameters", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> adamw.step(List.of(Tensor.zeros(DType.F32, Shape.of(3, 2))), 0.1));
        assertEquals("adamW: the gradient of \"w\" is f32[3, 2], the parameter f32[2, 3]", e.getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void clipping_scales_all_gradients_by_their_common_norm(DType dtype) throws Exception {
        try (Goldens golden = new Goldens("clip_grad_norm", dtype)) {
            GradientClip.Clipped clipped = GradientClip.clip(
                    List.of(golden.get("in.g0"), golden.get("in.g1"), golden.get("in.g2")), golden.number("max_norm"));
            golden.assertMet("out.norm", Tensor.of(DType.F64, clipped.norm()));
            for (int i = 0; i < 3; i++) {
                golden.assertMet("out.g" + i, clipped.gradients().get(i));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void gradients_below_the_bound_are_left_alone(DType dtype) throws Exception {
        try (Goldens golden = new Goldens("clip_grad_norm_inactive", dtype)) {
            List<Tensor> gradients = List.of(golden.get("in.g0"));
            GradientClip.Clipped clipped = GradientClip.clip(gradients, golden.number("max_norm"));
            golden.assertMet("out.norm", Tensor.of(DType.F64, clipped.norm()));
            assertSame(gradients, clipped.gradients());
        }
    }
}
