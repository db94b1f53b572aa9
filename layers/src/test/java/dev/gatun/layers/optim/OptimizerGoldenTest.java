package dev.gatun.layers.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Goldens;
import dev.gatun.layers.Params;
import java.util.ArrayList;
import java.util.List;
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
