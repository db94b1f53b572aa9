package dev.gatun.layers;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import java.util.List;

final class Rotation {
    private Rotation() {}

    static Tensor rope(Tensor x, long position, double base, long rotated) {
        long half = rotated / 2;
        Tensor inv = Tensor.arange(DType.F64, half).mul(-2.0 / rotated * Math.log(base)).exp();
        Tensor angle = Tensor.arange(DType.F64, x.dim(2)).add(position).insertAxis(-1).mul(inv);
        Tensor c = angle.cos().to(x.dtype());
        Tensor s = angle.sin().to(x.dtype());
        Tensor a = x.slice(-1, 0, half);
        Tensor b = x.slice(-1, half, rotated);
        List<Tensor> parts = new java.util.ArrayList<>(List.of(a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))));
        if (rotated < x.dim(-1)) {
            parts.add(x.slice(-1, rotated, x.dim(-1)));
        }
        return Tensor.concat(-1, parts);
    }
}
