import cv2

from rasnet.opencv_threads import one_opencv_thread


def test_opencv_works_in_one_thread_until_the_last_block_ends() -> None:
    cv2.setNumThreads(3)
    first, second = one_opencv_thread(), one_opencv_thread()
    with first:
        assert cv2.getNumThreads() == 1
        second.__enter__()
    assert cv2.getNumThreads() == 1
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3
