namespace Dataflow.Model;

/// <summary>The function of one number between the matrices of a feed-forward network; of a gated unit, what is done to its gate.</summary>
public enum Activation
{
    /// <summary>silu(g) = g / (1 + exp(-g)): SwiGLU (Shazeer, 2020), of Llama and Qwen.</summary>
    Silu,

    /// <summary>
    /// g Phi(g), Phi the standard normal distribution's function, (1 + erf(g / sqrt(2))) / 2 (Hendrycks and Gimpel, 2016).
    /// </summary>
    Gelu,

    /// <summary>The same by tanh: g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2, of GPT-2 and Gemma.</summary>
    GeluTanh,

    /// <summary>max(g, 0).</summary>
    Relu,

    /// <summary>max(g, 0)^2 (So et al., 2021), of Nemotron.</summary>
    SquaredRelu,
}
