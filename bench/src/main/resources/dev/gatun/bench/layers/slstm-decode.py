def forward(wx: Tensor, r: Tensor, bias: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    # states [H, B, d]
    B, H, d = wx.size(0), wx.size(3), wx.size(4)
    x = (wx + bias).permute([1, 3, 0, 2, 4]).reshape([H, B, 4 * d])
    gates = torch.chunk(torch.baddbmm(x, h, r.permute([1, 3, 0, 2]).reshape([H, d, 4 * d])), 4, -1)
    l = torch.log_sigmoid(gates[1]) + m
    new = torch.maximum(l, gates[0])
    i = torch.exp(gates[0] - new)
    f = torch.exp(l - new)
    c = f * c + i * torch.tanh(gates[2])
    n = f * n + i
    h = torch.sigmoid(gates[3]) * c / n
    return (h.permute([1, 0, 2]).unsqueeze(1), h, c, n, new)
