using System.Collections.Immutable;

namespace Dataflow.Model;

/// <content>Those of a recurrence in place of attention.</content>
internal sealed partial class DecoderParameters
{
    private IEnumerable<ParameterSpec> Recurrence(Recurrence of)
    {
        int d = model.ModelDim;
        var channels = names.RecurrenceFused is null ? null : ChannelOrder(of);
        NamedRows Rows(string name, long rows, RowOrder? order = null) => new(names.Layer + name + Weight, rows, order);
        NamedRows Vector(string name, long rows, RowOrder? order = null) => new(names.Layer + name, rows, order);
        NamedRows[] Apart(ImmutableArray<string> parts, NamedRows all) =>
            parts.IsEmpty ? [all] : [Rows(parts[0], of.KeyWidth), Rows(parts[1], of.KeyWidth), Rows(parts[2], of.ValueWidth)];
        IEnumerable<ParameterSpec> Where(bool condition, ParameterSpec spec) => condition ? [spec] : [];
        NamedRows[] first = names.RecurrenceFused is { } fused
            ? [Rows(fused, of.InputWidth, InputOrder(of))]
            : names.RecurrenceByKeyHead
            ?
            [
                Rows(names.RecurrenceIn, of.Channels + of.ValueWidth, ByKeyHead(of, of.KeyDim, of.KeyDim, of.ValueDim, of.ValueDim)),
                Rows(names.RecurrenceBeta, of.Gates, ByKeyHead(of, 0, 0, 1, 1)),
            ]
            :
            [
                .. Apart(names.RecurrenceApart, Rows(names.RecurrenceIn, of.Channels)), Rows(names.RecurrenceGate, of.ValueWidth),
                .. of.Corrects ? [Rows(names.RecurrenceBeta, of.Heads)] : Array.Empty<NamedRows>(),
                Rows(names.RecurrenceStep, of.Heads),
            ];
        return
        [
            .. Before(),
            ParameterSpec.Matrix(WeightName.RecurrenceIn, d, Initial(model, InitialValues.FanIn(d)), first),
            .. Where(
                of.HasProductBiases,
                ParameterSpec.Vector(
                    WeightName.RecurrenceInBias, InitialValues.Zero,
                    Vector((names.RecurrenceFused ?? names.RecurrenceIn) + Bias, of.InputWidth, channels is null ? null : InputOrder(of)))),
            ParameterSpec.Convolution(
                WeightName.ConvolutionTaps, of.Taps, Initial(model, InitialValues.FanIn(of.Taps)),
                Apart(names.RecurrenceTapsApart, Rows(names.RecurrenceTaps, of.Channels, channels))),
            .. Where(
                of.HasConvolutionBias,
                ParameterSpec.Vector(
                    WeightName.ConvolutionBias, InitialValues.Zero, Vector(names.RecurrenceTaps + Bias, of.Channels, channels))),
            ParameterSpec.Vector(
                WeightName.Decay,
                of.Corrects
                    ? new InitialValues.LogarithmOfUniform(of.InitialRates.Least, of.InitialRates.Most)
                    : InitialValues.DecayByHead,
                Vector(names.Decay, of.Heads)),
            ParameterSpec.Vector(
                WeightName.StepBias,
                of.InitialSteps is { } steps
                    ? new InitialValues.StepsOfLogUniform(steps.Least, steps.Most, steps.Floor)
                    : InitialValues.One,
                Vector(names.StepBias, of.Heads)),
            .. Where(!of.Corrects, ParameterSpec.Vector(WeightName.Skip, InitialValues.One, Vector(names.Skip, of.Heads))),
            ParameterSpec.Vector(WeightName.RecurrenceNorm, InitialValues.One, Rows(names.RecurrenceNorm, of.NormWidth)),
            ParameterSpec.Matrix(
                WeightName.RecurrenceOut, of.ValueWidth, Initial(model, IntoStream(of.ValueWidth)), Rows(names.RecurrenceOut, d)),
            .. Where(
                of.HasProductBiases,
                ParameterSpec.Vector(WeightName.RecurrenceOutBias, InitialValues.Zero, Vector(names.RecurrenceOut + Bias, d))),
            .. After(),
        ];
    }

    /// <summary>Files have values, keys, queries (x, B, C); memory queries first.</summary>
    private static RowOrder ChannelOrder(Recurrence of) => new([.. Channels(of, first: 0)]);

    /// <summary>Files have what the result is gated by before these.</summary>
    private static RowOrder InputOrder(Recurrence of) =>
        new(
            [
                .. Channels(of, first: of.ValueWidth),
                .. Enumerable.Range(0, of.ValueWidth),
                .. Enumerable.Range(of.ValueWidth + of.Channels, of.Gates),
            ]);

    /// <summary>
    /// Memory has four parts one after the other, files each key head's rows of all four: of the first two those of a key head, of the
    /// others those of its heads of values.
    /// </summary>
    private static RowOrder ByKeyHead(Recurrence of, params ReadOnlySpan<int> widths)
    {
        var order = ImmutableArray.CreateBuilder<int>();
        int perKeyHead = of.Heads / of.KeyHeads;
        Span<int> rows = [widths[0], widths[1], perKeyHead * widths[2], perKeyHead * widths[3]];
        int all = rows[0] + rows[1] + rows[2] + rows[3], before = 0;
        foreach (int part in rows)
        {
            int first = before;
            order.AddRange(Enumerable.Range(0, of.KeyHeads).SelectMany(h => Enumerable.Range((h * all) + first, part)));
            before += part;
        }

        return new(order.ToImmutable());
    }

    private static ImmutableArray<int> Channels(Recurrence of, int first) =>
        [
            .. Enumerable.Range(first + of.ValueWidth + of.KeyWidth, of.KeyWidth),
            .. Enumerable.Range(first + of.ValueWidth, of.KeyWidth),
            .. Enumerable.Range(first, of.ValueWidth),
        ];
}
