def forward(q: Tensor, k: Tensor, v: Tensor, g: Tensor, s: Tensor) -> Tuple[Tensor, Tensor]:
    s = s * torch.exp(g).unsqueeze(-1) + torch.matmul(k.transpose(-1, -2), v)
    return (torch.matmul(q, s) * (float(q.size(3)) ** -0.5), s)
