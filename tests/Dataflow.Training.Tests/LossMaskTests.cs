using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>A byte a target says whether it counts.</summary>
public sealed class LossMaskTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Tokens(string name, int count)
    {
        byte[] bytes = [.. Enumerable.Range(0, count).SelectMany(i => BitConverter.GetBytes(i % 7))];
        File.WriteAllBytes(folder[name], bytes);
        return folder[name];
    }

    private static string Tables(string path, int row)
    {
        using var source = TokenFile.Open(path, 4, 7);
        var writer = new TokenTableWriter(4, 4, 1);
        int[] table = new int[writer.TableInts];
        int counted = writer.Write(source, [row], table, 1);
        return $"{counted}: {string.Join(' ', table[4..8])}";
    }

    [Fact]
    public void Targets_that_it_leaves_out_are_not_counted()
    {
        string path = Tokens("tokens.bin", 10);
        File.WriteAllBytes(folder["loss_mask.bin"], [1, 0, 1, 1, 0, 0, 0, 255]);
        Assert.Equal("3: 1 -1 3 4", Tables(path, 0));
        Assert.Equal("1: -1 -1 -1 2", Tables(path, 1));
    }

    [Fact]
    public void It_and_documents_leave_out_what_either_does()
    {
        string path = Tokens("own.bin", 10);
        File.WriteAllBytes(folder["own.loss_mask.bin"], [0, 1, 1, 1, 1, 1, 1, 1]);
        File.WriteAllText(folder["own.documents.json"], """{"rows": [[2, 2], [4]]}""");
        Assert.Equal("1: -1 -1 3 -1", Tables(path, 0));
    }

    [Fact]
    public void One_of_other_rows_is_refused_in_a_sentence()
    {
        string path = Tokens("tokens.bin", 10);
        File.WriteAllBytes(folder["loss_mask.bin"], new byte[7]);
        string message = Assert.Throws<UserErrorException>(() => TokenFile.Open(path, 4, 7)).Message;
        Assert.Contains("loss_mask.bin has 7 bytes, and its token file has 2 rows of 4 targets", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_with_another_mask_are_other_data()
    {
        string path = Tokens("tokens.bin", 10);
        string without = DataFingerprint.Of(path).Text;
        File.WriteAllBytes(folder["loss_mask.bin"], [1, 1, 1, 1, 1, 1, 1, 1]);
        string all = DataFingerprint.Of(path).Text;
        File.WriteAllBytes(folder["loss_mask.bin"], [1, 1, 1, 1, 1, 1, 1, 0]);
        Assert.Equal(3, new[] { without, all, DataFingerprint.Of(path).Text }.Distinct().Count());
    }
}
