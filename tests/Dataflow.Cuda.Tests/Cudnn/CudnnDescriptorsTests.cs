using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>What would be asked of the library, written down by a layer in its place and read against the file of graphs.</summary>
public unsafe class CudnnDescriptorsTests
{
    private static readonly CudnnGraph s_graph = Graph();

    [Fact]
    public void Descriptors_are_made_in_their_order_each_whole_before_the_next_and_go_in_the_opposite_one()
    {
        var library = new Recorder();
        using (var made = new CudnnDescriptors(library, s_graph))
        {
            Assert.Equal(Recorder.Handle(s_graph.OperationGraph), made[s_graph.OperationGraph]);
        }

        Assert.Equal(Expected(GraphFiles.Read([s_graph])[0]), library.Calls);
    }

    [Fact]
    public void The_kinds_of_elements_have_the_librarys_widths()
    {
        nint[] descriptors = [unchecked((nint)0x1122334455667788), 7];
        Assert.Equal([1], Bytes(new CudnnAttribute.Integers(CudnnAttributeName.TensorIsVirtual, CudnnAttributeType.Boolean, [1])));
        Assert.Equal(
            [9, 0, 0, 0], Bytes(new CudnnAttribute.Integers(CudnnAttributeName.TensorDataType, CudnnAttributeType.DataType, [9])));
        Assert.Equal(
            [2, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            Bytes(new CudnnAttribute.Integers(CudnnAttributeName.TensorStrides, CudnnAttributeType.Int64, [2, -1])));
        Assert.Equal(
            [0, 0, 128, 63], Bytes(new CudnnAttribute.Reals(CudnnAttributeName.OperationPointwiseAlpha1, CudnnAttributeType.Float, [1])));
        Assert.Equal(
            [0, 0, 0, 0, 0, 0, 240, 63],
            Bytes(new CudnnAttribute.Reals(CudnnAttributeName.MatmulPaddingValue, CudnnAttributeType.Double, [1])));
        Assert.Equal(
            [7, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11],
            Bytes(new CudnnAttribute.References(CudnnAttributeName.OperationGraphOperations, [1, 0])));
        byte[] Bytes(CudnnAttribute attribute) => CudnnDescriptors.Elements(attribute, descriptors);
    }

    [Theory]
    [InlineData("create 4", "creating a Tensor descriptor")]
    [InlineData("finalize 4", "finalizing descriptor 4 (Tensor)")]
    [InlineData("set 4 906", "setting TensorUniqueId of descriptor 4 (Tensor)")]
    public void A_refusal_is_a_sentence_and_leaves_nothing_behind(string refused, string attempt)
    {
        var library = new Recorder { Refused = refused };
        var failure = Assert.Throws<CudaException>(() => new CudnnDescriptors(library, s_graph));
        Assert.Equal($"{attempt} of {s_graph.Name} failed: it says 2000", failure.Message);
        Assert.Equal(nameof(CudnnStatus.BadParameter), failure.Status);
        Assert.Equal(
            library.Calls.Count(c => c.StartsWith("create", StringComparison.Ordinal) && c != refused),
            library.Calls.Count(c => c.StartsWith("destroy", StringComparison.Ordinal)));
    }

    // From the numbers of the file alone.
    private static IEnumerable<string> Expected(JsonObject graph)
    {
        var descriptors = graph["descriptors"]!.AsArray();
        for (int i = 0; i < descriptors.Count; i++)
        {
            yield return $"create {i} {descriptors[i]!["type"]}";
            foreach (var attribute in descriptors[i]!["attributes"]!.AsArray())
            {
                int type = (int)attribute!["type"]!;
                double[] values = [.. (attribute["values"] ?? attribute["descriptors"])!.AsArray().Select(v => (double)v!)];
                byte[] bytes = [.. values.SelectMany(v => type switch
                {
                    2 => [(byte)v],
                    3 => BitConverter.GetBytes((long)v),
                    4 => BitConverter.GetBytes((float)v),
                    5 => BitConverter.GetBytes(v),
                    15 => BitConverter.GetBytes((long)Recorder.Handle((int)v)),
                    _ => BitConverter.GetBytes((int)v),
                })];
                yield return $"set {i} {attribute["name"]} {type} {values.Length} {Convert.ToHexString(bytes)}";
            }

            yield return $"finalize {i}";
        }

        for (int i = descriptors.Count - 1; i >= 0; i--)
        {
            yield return $"destroy {i}";
        }
    }

    private static CudnnGraph Graph()
    {
        var target = new CudnnTarget(CudnnTarget.Newest, new(9, 0));
        var asked = new CudnnAttention
        {
            Pass = CudnnPass.Forward,
            Heads = 8,
            KvHeads = 2,
            HeadDim = 64,
            Queries = 256,
            Keys = 512,
            Window = 128,
            Documents = 3,
        };
        return CudnnAttentionGraph.Build(Assert.IsType<CudnnAnswer.Offered>(CudnnRules.Answer(asked, target)), target);
    }

    /// <summary>Plays the library: writes calls down, and refuses one of them if told to.</summary>
    private sealed class Recorder : ICudnnBackend
    {
        private int made;

        public List<string> Calls { get; } = [];

        public string? Refused { get; init; }

        public static nint Handle(int place) => 0x1000 + (16 * place);

        public CudnnStatus Create(CudnnDescriptorType type, nint* descriptor)
        {
            *descriptor = Handle(made);
            return Call($"create {made++}", $" {(int)type}");
        }

        public CudnnStatus SetAttribute(
            nint descriptor, CudnnAttributeName name, CudnnAttributeType type, long count, void* elements)
        {
            int width = (int)type switch { 2 => 1, 3 or 5 or 15 => 8, _ => 4 };
            byte[] bytes = new byte[count * width];
            Marshal.Copy((nint)elements, bytes, 0, bytes.Length);
            return Call(
                $"set {Place(descriptor)} {((int)name).ToString(CultureInfo.InvariantCulture)}",
                $" {(int)type} {count} {Convert.ToHexString(bytes)}");
        }

        public CudnnStatus FinalizeDescriptor(nint descriptor) => Call($"finalize {Place(descriptor)}");

        public CudnnStatus Destroy(nint descriptor) => Call($"destroy {Place(descriptor)}");

        public string Explain(CudnnStatus status) => $"it says {(int)status}";

        private static long Place(nint descriptor) => (descriptor - 0x1000) / 16;

        private CudnnStatus Call(string call, string rest = "")
        {
            if (call == Refused)
            {
                Calls.Add(call);
                return CudnnStatus.BadParameter;
            }

            Calls.Add(call + rest);
            return CudnnStatus.Success;
        }
    }
}
