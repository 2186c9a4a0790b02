using Dataflow.Model;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>The page that says what fits: chosen, read off, and its grid as a file.</summary>
public sealed class FitPageTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    // Whole training of the large model does not fit 32 GiB of host memory, and on the small GPU its long rows fit with none.
    private static FitGrid Sample { get; } = new(
        "commit 0123456789ab",
        [new FitModel("small <1>", 1_200_000_000), new FitModel("large", 8_030_261_248)],
        [new FitMachine("card", 23.5), new FitMachine("server", 78.4)],
        ["full", "LoRA", "QLoRA"],
        [2_048, 32_768],
        [32, 128],
        [
            .. from model in Enumerable.Range(0, 2)
            from machine in Enumerable.Range(0, 2)
            from method in Enumerable.Range(0, 3)
            from seqlen in Enumerable.Range(0, 2)
            from host in Enumerable.Range(0, 2)
            select model == 1 && machine == 0 && method == 0 && seqlen == 1 ? Array.Empty<double>()
                : model == 1 && method == 0 && host == 0 ? [58]
                : Cell((10_000 >> model) * (machine + 1) / (seqlen + 1) + (100 * method)),
        ]);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_same_grid_is_the_same_page_and_nothing_breaks_out_of_it()
    {
        string page = FitPage.Of(Sample);
        Assert.Equal(page, FitPage.Of(Sample));
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_is_chosen_and_answered_by_keys_and_at_three_widths()
    {
        string path = folder.File("fit.html");
        File.WriteAllText(path, FitPage.Of(Sample));
        Browser.Run("fit.mjs", path);
    }

    [Fact]
    public void A_grid_is_read_as_it_was_written()
    {
        var read = FitGrid.Parse("fit.json", Sample.ToJson());
        Assert.Equal(Sample.ToJson(), read.ToJson());
        Assert.Equal(Sample.Cells[5], read.Cells[5]);
    }

    [Theory]
    [InlineData("", "is no grid")]
    [InlineData("{}", "is no grid")]
    [InlineData("null", "is no grid")]
    [InlineData("""{"note":"","models":[],"machines":[],"methods":[],"seqlens":[],"host_gib":[],"cells":[[1]]}""", "its cells are not")]
    [InlineData("""{"note":null,"models":[],"machines":[],"methods":[],"seqlens":[],"host_gib":[],"cells":[]}""", "is no grid")]
    [InlineData("""{"notes":"","models":[],"machines":[],"methods":[],"seqlens":[],"host_gib":[],"cells":[]}""", "is no grid")]
    public void What_is_no_grid_is_refused(string text, string part) =>
        Assert.Contains(part, Assert.Throws<UserErrorException>(() => FitGrid.Parse("fit.json", text)).Message, StringComparison.Ordinal);

    private static double[] Cell(double speed) => [speed, 65_536, 21.5, 30.25, speed * 1.017, speed, speed * 1.21];
}
